"""Trees and paths: what a document is, without any format."""
