"""How a target takes new bytes: one module for each mode."""
