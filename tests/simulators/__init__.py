"""Second implementations of the ports, in memory: a configuration root, a state, a bundle.

Each effect is one step. A test may end the process before any step, let it fail, or let another
process edit a file there.
"""
