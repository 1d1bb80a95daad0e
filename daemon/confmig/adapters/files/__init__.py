"""The files of a target: reading, staging, exchanging, and who may change a path."""
