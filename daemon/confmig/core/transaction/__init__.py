"""The phases of a transaction and the moves of recovery. Pure."""
