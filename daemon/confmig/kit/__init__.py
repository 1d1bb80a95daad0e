"""Tools for the authors of migrations."""
