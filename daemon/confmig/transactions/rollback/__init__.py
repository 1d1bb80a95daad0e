"""The kind of transaction that takes a committed one back.

``selection`` chooses what to reverse, ``merge`` places later edits, ``kind`` plans and records it.
"""
