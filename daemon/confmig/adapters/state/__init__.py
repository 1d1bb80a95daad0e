"""The state directory: database, checkpoints, locks, backups."""
