"""Texts: pieces of them, comments and blank lines in them, for every format."""
