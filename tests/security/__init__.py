"""Attacks: each is refused by name, and nothing is changed."""
