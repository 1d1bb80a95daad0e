"""Whether a migration may run now, and why not. Pure."""
