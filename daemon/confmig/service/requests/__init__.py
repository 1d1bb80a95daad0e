"""The commands that change something, as requests: plain data in, plain data out."""
