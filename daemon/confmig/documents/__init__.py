"""Pure text <-> tree: lossless parsing, operations on values, smallest edits, verification."""
