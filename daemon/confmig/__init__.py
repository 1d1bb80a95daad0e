"""confmig keeps a service's configuration files at the schema version the service reads.

Layers, from the top: ``cli``, ``agent``, ``reconcile``, ``apply`` and ``rollback``, ``adapters``,
``documents``, ``core``. An import may only point down; ``core`` and ``documents`` are pure.
"""

__version__ = "0.1.0"
