"""confmig keeps a service's configuration files at the schema version the service reads.

Layers, from the top: ``cli``, ``service``, ``reports`` and ``kit``, ``passes`` and ``offline``,
``targets``, ``transactions`` and ``worker``, ``adapters`` and ``settings``, ``documents``,
``core``, ``errors``, ``codes``, ``writer``. An import may only point down; ``core`` and
``documents`` are pure.
"""

__version__ = "0.1.0"
