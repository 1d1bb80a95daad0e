"""One pass over one target: observe, decide, apply, and record what was reported."""
