"""The telemetry of confmig.

``events``, ``metrics`` and ``spans`` are names and import nothing; ``export`` and ``relay`` are the
only importers of OpenTelemetry.
"""
