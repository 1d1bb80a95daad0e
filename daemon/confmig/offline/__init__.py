"""The chain on files without any state: ``confmig migrate``."""
