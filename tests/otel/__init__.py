"""Tests of the telemetry's names against the registry."""
