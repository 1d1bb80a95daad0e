"""Whether text is the address of a receiver of telemetry."""

from __future__ import annotations

from urllib.parse import urlsplit


def url_problem(text: str) -> str:
    """What is wrong with an endpoint; empty if nothing is."""
    if not text.lower().startswith(("http://", "https://")):
        return f"the endpoint has no scheme: write http://{text} or https://{text}"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        return f"the endpoint is not a URL: {error}"
    if not parts.hostname:
        return "the endpoint names no host"
    return ""
