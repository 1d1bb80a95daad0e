"""Reading the files of a bundle."""
