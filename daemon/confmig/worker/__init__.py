"""The requests that a worker answers, and what they need: schemas, regular expressions, handlers.

Only this package and ``documents`` know trees.
"""
