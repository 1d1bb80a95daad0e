"""Reading bundles, and running the code in them."""
