"""Transactions: one kind of durable change of files, state and events, forward and backward.

``plan`` is what becomes durable first; ``runner`` takes it through its phases and recovers it;
``exchange`` is the Protocol of how files change; ``migrate`` and ``rollback`` are the kinds;
``resolve`` ends a conflict.
"""
