"""Later edits of a migrated text, placed in the text before the migration."""
