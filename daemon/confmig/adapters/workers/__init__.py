"""The port of the workers: bytes and plain values in, bytes and plain values out."""
