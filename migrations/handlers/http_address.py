"""bind_host, bind_port and web_session_ttl become http: {address, session_ttl}."""

import ipaddress


def migrate(document, contract):
    """Write http if there is a bind_host, which must be an IP address."""
    if "bind_host" not in document:
        return
    host = _typed(document, "bind_host", str, "")
    port = _typed(document, "bind_port", int, 0)
    hours = _typed(document, "web_session_ttl", int, 0)
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        _refuse("bad_address", "an IP address is expected here", "bind_host")
    address = f"[{host}]:{port}" if version == 6 else f"{host}:{port}"
    for key in ("bind_host", "bind_port", "web_session_ttl"):
        document.root.pop(key, None)
    document["http"] = {"address": address, "session_ttl": f"{hours}h"}


def _typed(document, key, kind, zero):
    value = document.get(key)
    if value is None:
        return zero
    if not isinstance(value, kind) or isinstance(value, bool):
        _refuse("wrong_type", f"{kind.__name__} is expected here", key)
    return value


def _refuse(code, message, place):
    from confmig.errors import Refused

    raise Refused(code, message, place=place)
