"""Where telemetry goes, and what provides it."""
