"""Independent reference implementation (oracle) of the AdGuard Home chain, steps 1 to 16.

What it is: a second, deliberately plain implementation of the migration rules on ordinary
``dict`` and ``list`` objects. A test migrates a document with the confmig engine and its bundle,
reads the result back and compares it with :func:`migrate` through :func:`same`.

Why it is independent: it was written from the written-down rules alone, before and without
looking at the engine, the operations or the bundle's migration files, and it imports nothing from
``confmig``. A mistake made in the bundle is therefore not repeated here by construction. Keep it
that way: never "fix" the oracle from what the engine prints, only from the rules.

How the rules are read:

* "X present" means that the key exists. An explicit null reads as the zero value of the type the
  rule names ('' / 0 / false / empty list / empty object). This holds for the values of keys; a
  null *item* of a list is no string and no object.
* An absent key is never an error. A wrong type is an :class:`OracleError` and the whole run stops;
  the caller's document is never touched, because :func:`migrate` works on a copy.
* A move for which the rules name no type carries any value along unchanged, null included.
* A null object that a step writes nothing into stays null.
* bcrypt hashes differ on each run, so step 5 leaves the marker ``{"bcrypt": <plain text>}`` where
  the hash belongs, and :func:`same` verifies the actual hash against it.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from typing import Any, Final

import bcrypt

__all__ = ["LATEST", "MARKER", "STEPS", "OracleError", "migrate", "same"]

Config = dict[str, Any]

STAMP: Final = "schema_version"
MARKER: Final = "bcrypt"
LATEST: Final = 16

_ABSENT: Final = object()


class OracleError(ValueError):
    """A value has a type that the rules do not allow at its place."""


# --- typed reading -----------------------------------------------------------------------------


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong(key: str, wanted: str, value: object) -> OracleError:
    return OracleError(f"{key}: expected {wanted}, found {type(value).__name__}")


def _string(parent: Config, key: str) -> str | None:
    """The string at key, '' for null, None if the key is absent."""
    if key not in parent:
        return None
    value = parent[key]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(key, "string", value)
    return value


def _int(parent: Config, key: str) -> int | None:
    """The integer at key, 0 for null, None if the key is absent. A bool is no integer."""
    if key not in parent:
        return None
    value = parent[key]
    if value is None:
        return 0
    if not _is_int(value):
        raise _wrong(key, "int", value)
    return int(value)


def _bool(parent: Config, key: str) -> bool | None:
    """The boolean at key, False for null, None if the key is absent."""
    if key not in parent:
        return None
    value = parent[key]
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _wrong(key, "bool", value)
    return value


def _list(parent: Config, key: str) -> list[Any] | None:
    """The list at key, a new empty one for null, None if the key is absent."""
    if key not in parent:
        return None
    value = parent[key]
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(key, "list", value)
    return value


def _object(parent: Config, key: str) -> Config | None:
    """The object at key, a new empty one for null, None if the key is absent."""
    if key not in parent:
        return None
    value = parent[key]
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(key, "object", value)
    return value


def _store(parent: Config, key: str, value: Config) -> None:
    """Put an object read by _object back, so that a null one that was written to appears."""
    if value:
        parent[key] = value


def _move(source: Config, key: str, target: Config, new_key: str) -> None:
    """Move without a type: any value is carried along, an old value at the target is replaced."""
    value = source.pop(key, _ABSENT)
    if value is not _ABSENT:
        target[new_key] = value


# --- steps -------------------------------------------------------------------------------------


def _step_1(config: Config) -> None:
    """Only the stamp."""
    config[STAMP] = 1


def _step_2(config: Config) -> None:
    """coredns -> dns."""
    _move(config, "coredns", config, "dns")
    config[STAMP] = 2


def _step_3(config: Config) -> None:
    """dns.bootstrap_dns becomes a one-item list, whatever it was."""
    dns = _object(config, "dns")
    if dns is not None and "bootstrap_dns" in dns:
        dns["bootstrap_dns"] = [dns["bootstrap_dns"]]
    config[STAMP] = 3


def _step_4(config: Config) -> None:
    """Every client that is an object uses the global blocked services."""
    for client in _list(config, "clients") or []:
        if isinstance(client, dict):
            client["use_global_blocked_services"] = True
    config[STAMP] = 4


def _step_5(config: Config) -> None:
    """auth_name and auth_pass -> users, with the bcrypt hash of the password."""
    name = _string(config, "auth_name")
    if name is not None:
        del config["auth_name"]
        password = _string(config, "auth_pass")
        if password is not None:
            del config["auth_pass"]
            config["users"] = [{"name": name, "password": {MARKER: password}}]
    config[STAMP] = 5


def _step_6(config: Config) -> None:
    """ids of every client: its ip and its mac, as far as they are there."""
    for client in _list(config, "clients") or []:
        if not isinstance(client, dict):
            raise _wrong("clients[*]", "object", client)
        found = [_string(client, key) for key in ("ip", "mac")]
        client["ids"] = [value for value in found if value]
    config[STAMP] = 6


def _step_7(config: Config) -> None:
    """The IPv4 settings of dhcp go to dhcp.dhcpv4."""
    dhcp = _object(config, "dhcp")
    if dhcp is not None:
        dhcpv4: Config = {}
        for key in ("gateway_ip", "subnet_mask", "range_start", "range_end"):
            text = _string(dhcp, key)
            if text is not None:
                del dhcp[key]
                dhcpv4[key] = text
        for key in ("lease_duration", "icmp_timeout_msec"):
            number = _int(dhcp, key)
            if number is not None:
                del dhcp[key]
                dhcpv4[key] = number
        dhcp["dhcpv4"] = dhcpv4
        _store(config, "dhcp", dhcp)
    config[STAMP] = 7


def _step_8(config: Config) -> None:
    """dns.bind_host -> dns.bind_hosts, a list."""
    dns = _object(config, "dns")
    if dns is not None:
        host = _string(dns, "bind_host")
        if host is not None:
            del dns["bind_host"]
            dns["bind_hosts"] = [host]
    config[STAMP] = 8


def _step_9(config: Config) -> None:
    """dns.autohost_tld -> dns.local_domain_name."""
    dns = _object(config, "dns")
    if dns is not None:
        _move(dns, "autohost_tld", dns, "local_domain_name")
    config[STAMP] = 9


_UPSTREAM = re.compile(r"(?P<prefix>\[/.*?/\])?(?P<rest>.*)", re.DOTALL)
_QUIC_URL = re.compile(
    r"(?P<head>quic://(?:[^/?#@\s]*@)?)"  # scheme, user information
    r"(?P<host>\[[0-9A-Za-z:.%]+\]|[^/?#@:\[\]\s]+)"  # IPv6 in brackets, or a name or an IPv4
    r"(?P<colon>:?)"  # an empty port is no port
    r"(?P<tail>[/?#]\S*)?",
    re.IGNORECASE,
)


def _with_quic_port(upstream: str) -> str:
    if not upstream or upstream.startswith("#"):
        return upstream
    parts = _UPSTREAM.fullmatch(upstream)
    if parts is None:  # pragma: no cover - the pattern matches every text
        return upstream
    url = _QUIC_URL.fullmatch(parts["rest"])
    if url is None:
        return upstream
    return f"{parts['prefix'] or ''}{url['head']}{url['host']}:784{url['tail'] or ''}"


def _step_10(config: Config) -> None:
    """QUIC upstreams without a port keep the port that was the default until now."""
    dns = _object(config, "dns")
    if dns is not None:
        for key in ("upstream_dns", "local_ptr_upstreams"):
            upstreams = _list(dns, key)
            if upstreams is None:
                continue
            for index, upstream in enumerate(upstreams):
                if not isinstance(upstream, str):
                    raise _wrong(f"dns.{key}[{index}]", "string", upstream)
                upstreams[index] = _with_quic_port(upstream)
    config[STAMP] = 10


def _step_11(config: Config) -> None:
    """rlimit_nofile -> os.rlimit_nofile, with os.group and os.user."""
    limit = _int(config, "rlimit_nofile")
    config.pop("rlimit_nofile", None)
    config["os"] = {"group": "", "rlimit_nofile": limit or 0, "user": ""}
    config[STAMP] = 11


def _step_12(config: Config) -> None:
    """dns.querylog_interval: days -> duration text."""
    dns = _object(config, "dns")
    if dns is not None:
        days = _int(dns, "querylog_interval")
        dns["querylog_interval"] = f"{90 if days is None else days}d"
        _store(config, "dns", dns)
    config[STAMP] = 12


def _step_13(config: Config) -> None:
    """dns.local_domain_name -> dhcp.local_domain_name."""
    dns = _object(config, "dns")
    dhcp = _object(config, "dhcp")
    if dns is not None and dhcp is not None:
        _move(dns, "local_domain_name", dhcp, "local_domain_name")
        _store(config, "dhcp", dhcp)
    config[STAMP] = 13


def _step_14(config: Config) -> None:
    """clients becomes an object with the persistent ones and the runtime sources."""
    sources = {"whois": True, "arp": True, "rdns": False, "dhcp": True, "hosts": True}
    config["clients"] = {
        "persistent": _list(config, "clients") or [],
        "runtime_sources": sources,
    }
    dns = _object(config, "dns")
    if dns is not None:
        resolve = _bool(dns, "resolve_clients")
        if resolve is not None:
            del dns["resolve_clients"]
            sources["rdns"] = resolve
    config[STAMP] = 14


def _step_15(config: Config) -> None:
    """The query log's settings leave dns."""
    dns = _object(config, "dns")
    if dns is not None:
        querylog: Config = {
            "ignored": [],
            "enabled": True,
            "file_enabled": True,
            "interval": "2160h",
            "size_memory": 1000,
        }
        for key in ("enabled", "file_enabled", "interval", "size_memory"):
            _move(dns, f"querylog_{key}", querylog, key)
        config["querylog"] = querylog
    config[STAMP] = 15


def _step_16(config: Config) -> None:
    """The statistics' settings leave dns; interval 0 meant that they are off."""
    dns = _object(config, "dns")
    if dns is not None:
        statistics: Config = {"enabled": True, "interval": 1, "ignored": []}
        interval = _int(dns, "statistics_interval")
        if interval is not None:
            del dns["statistics_interval"]
            if interval == 0:
                statistics["enabled"] = False
            else:
                statistics["interval"] = interval
        config["statistics"] = statistics
    config[STAMP] = 16


STEPS: dict[int, Callable[[Config], None]] = {
    1: _step_1,
    2: _step_2,
    3: _step_3,
    4: _step_4,
    5: _step_5,
    6: _step_6,
    7: _step_7,
    8: _step_8,
    9: _step_9,
    10: _step_10,
    11: _step_11,
    12: _step_12,
    13: _step_13,
    14: _step_14,
    15: _step_15,
    16: _step_16,
}


def migrate(config: Config, to: int = LATEST) -> Config:
    """A migrated copy of config, from its own version to `to`.

    A document that is at `to` or newer comes back as an equal copy.
    """
    if to not in range(LATEST + 1):
        raise OracleError(f"no such version: {to}")
    if not isinstance(config, dict):
        raise _wrong("document", "object", config)
    result = copy.deepcopy(config)
    version = _int(result, STAMP) or 0
    if version < 0:
        raise OracleError(f"{STAMP}: negative: {version}")
    for number in range(version + 1, to + 1):
        STEPS[number](result)
    return result


# --- comparing ---------------------------------------------------------------------------------


def _is_marker(value: object) -> bool:
    return isinstance(value, dict) and list(value) == [MARKER] and isinstance(value[MARKER], str)


def _verifies(actual: object, plain: str) -> bool:
    if not isinstance(actual, str):
        return False
    try:
        return bcrypt.checkpw(plain.encode(), actual.encode())
    except ValueError:  # no bcrypt hash at all, or a password bcrypt does not take
        return False


def same(actual: object, expected: object) -> bool:
    """Semantic equality of two documents; `expected` may hold bcrypt markers.

    The order of keys does not count, the order of items does, and neither do bool, int and float
    equal each other. At a marker the actual value must be a bcrypt hash of the marker's text; a
    marker on the actual side never passes, for there it would be a password in plain text.
    """
    if _is_marker(expected):
        assert isinstance(expected, dict)
        return _verifies(actual, expected[MARKER])
    if type(actual) is not type(expected):
        return False
    if isinstance(actual, dict) and isinstance(expected, dict):
        keys = {(type(key), key) for key in actual}
        return keys == {(type(key), key) for key in expected} and all(
            same(actual[key], value) for key, value in expected.items()
        )
    if isinstance(actual, list) and isinstance(expected, list):
        return len(actual) == len(expected) and all(map(same, actual, expected))
    if isinstance(actual, float) and isinstance(expected, float):
        return actual == expected or (math.isnan(actual) and math.isnan(expected))
    return actual == expected
