"""Independent reference implementation (oracle) of the AdGuard Home chain, steps 1 to 34.

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

Where the rules leave something open, the oracle does what a Go program with typed reads would do.
The choices of the steps from 17 on:

* A step builds the object that it writes anew, so an old object at its place is replaced and not
  merged: 18, 19 (``safe_search``), 23 (``http``), 24 (``log``), 25 (``pprof``), 26
  (``filtering``), 34 (``doh``). 24 and 26 leave an old one alone if nothing is moved. In 17, 21
  and 22 an object at that place is an error: a flag or a list is read there.
* 18, 19, 24, 25, 26 and 34 name no type for what they move: any value goes along, null too.
* 20: a negative number of days prints as it is (``-1d``).
* 23: the text of ``bind_host`` is kept as it is written and not brought into its canonical form;
  a zone (``fe80::1%eth0``) is part of an address. ``bind_port`` is any integer. The two other keys
  are neither checked nor deleted if ``bind_host`` is absent.
* 27 and 31 leave items of another type alone. 27 and 33 look at an object only as far as needed.
* 28 reads both flags before it decides, so the type of each is checked.
* 29: an item of ``filters`` that is no object, and a ``url`` that is no string, are errors; a
  missing ``url`` is none. Items are only looked at if ``filters`` and ``filtering`` are present.
* 30 and 33: the value that is looked at stays as it is, a null stays null.
"""

from __future__ import annotations

import copy
import functools
import ipaddress
import math
import posixpath
import re
from collections.abc import Callable
from typing import Any, Final

import bcrypt

__all__ = ["DATA_DIR", "LATEST", "MARKER", "STEPS", "OracleError", "migrate", "same"]

Config = dict[str, Any]

STAMP: Final = "schema_version"
MARKER: Final = "bcrypt"
LATEST: Final = 34
DATA_DIR: Final = "/opt/AdGuardHome/data"

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


def _step_17(config: Config) -> None:
    """dns.edns_client_subnet: the flag becomes an object."""
    dns = _object(config, "dns")
    if dns is not None:
        enabled = _bool(dns, "edns_client_subnet") or False
        dns["edns_client_subnet"] = {"enabled": enabled, "use_custom": False, "custom_ip": ""}
        _store(config, "dns", dns)
    config[STAMP] = 17


def _add_safe_search(parent: Config) -> None:
    engines = ("bing", "duckduckgo", "google", "pixabay", "yandex", "youtube")
    safe_search: Config = {"enabled": True} | dict.fromkeys(engines, True)
    _move(parent, "safesearch_enabled", safe_search, "enabled")
    parent["safe_search"] = safe_search


def _step_18(config: Config) -> None:
    """dns.safesearch_enabled -> dns.safe_search.enabled, with a flag for each search engine."""
    dns = _object(config, "dns")
    if dns is not None:
        _add_safe_search(dns)
        _store(config, "dns", dns)
    config[STAMP] = 18


def _persistent(config: Config) -> list[Any]:
    """clients.persistent; nothing to do where it, or clients, is absent."""
    clients = _object(config, "clients") or {}
    return _list(clients, "persistent") or []


def _step_19(config: Config) -> None:
    """Step 18 for every persistent client that is an object."""
    for client in _persistent(config):
        if isinstance(client, dict):
            _add_safe_search(client)
    config[STAMP] = 19


def _step_20(config: Config) -> None:
    """statistics.interval: days -> duration text."""
    statistics = _object(config, "statistics")
    if statistics is not None:
        statistics["interval"] = f"{_int(statistics, 'interval') or 1}d"
        _store(config, "statistics", statistics)
    config[STAMP] = 20


def _local_schedule() -> Config:
    return {"time_zone": "Local"}


def _step_21(config: Config) -> None:
    """dns.blocked_services: the list becomes an object that has a schedule, too."""
    dns = _object(config, "dns")
    if dns is not None:
        services: Config = {"schedule": _local_schedule()}
        ids = _list(dns, "blocked_services")
        if ids is not None:
            services["ids"] = ids
        dns["blocked_services"] = services
        _store(config, "dns", dns)
    config[STAMP] = 21


def _step_22(config: Config) -> None:
    """The same for the persistent clients, but only for those that have such a list."""
    for client in _persistent(config):
        if not isinstance(client, dict):
            raise _wrong("clients.persistent[*]", "object", client)
        ids = _list(client, "blocked_services")
        if ids is not None:
            client["blocked_services"] = {"ids": ids, "schedule": _local_schedule()}
    config[STAMP] = 22


def _step_23(config: Config) -> None:
    """bind_host, bind_port and web_session_ttl -> http.address and http.session_ttl."""
    host = _string(config, "bind_host")
    if host is not None:
        try:
            address = ipaddress.ip_address(host)
        except ValueError as error:
            raise OracleError(f"bind_host: no IP address: {host!r}") from error
        port = _int(config, "bind_port") or 0
        hours = _int(config, "web_session_ttl") or 0
        for key in ("bind_host", "bind_port", "web_session_ttl"):
            config.pop(key, None)
        config["http"] = {
            "address": f"[{host}]:{port}" if address.version == 6 else f"{host}:{port}",
            "session_ttl": f"{hours}h",
        }
    config[STAMP] = 23


def _step_24(config: Config) -> None:
    """The settings of the program's own log -> log."""
    log: Config = {}
    for key, new_key in (
        ("log_file", "file"),
        ("log_max_backups", "max_backups"),
        ("log_max_size", "max_size"),
        ("log_max_age", "max_age"),
        ("log_compress", "compress"),
        ("log_localtime", "local_time"),
        ("verbose", "verbose"),
    ):
        _move(config, key, log, new_key)
    _store(config, "log", log)
    config[STAMP] = 24


def _step_25(config: Config) -> None:
    """debug_pprof -> http.pprof.enabled, with the port."""
    http = _object(config, "http")
    if http is not None:
        pprof: Config = {"enabled": False, "port": 6060}
        _move(config, "debug_pprof", pprof, "enabled")
        http["pprof"] = pprof
        _store(config, "http", http)
    config[STAMP] = 25


def _step_26(config: Config) -> None:
    """The settings of the filtering leave dns."""
    dns = _object(config, "dns")
    if dns is not None:
        filtering: Config = {}
        for key in (
            "filtering_enabled",
            "filters_update_interval",
            "parental_enabled",
            "safebrowsing_enabled",
            "safebrowsing_cache_size",
            "safesearch_cache_size",
            "parental_cache_size",
            "safe_search",
            "rewrites",
            "blocked_services",
            "protection_enabled",
            "blocking_mode",
            "blocking_ipv4",
            "blocking_ipv6",
            "blocked_response_ttl",
            "protection_disabled_until",
            "parental_block_host",
            "safebrowsing_block_host",
        ):
            _move(dns, key, filtering, key)
        _store(config, "filtering", filtering)
    config[STAMP] = 26


def _step_27(config: Config) -> None:
    """The root domain in the lists of ignored names is written as a filtering rule."""
    for key in ("querylog", "statistics"):
        section = _object(config, key) or {}
        ignored = _list(section, "ignored") or []
        for index, name in enumerate(ignored):
            if name == ".":
                ignored[index] = "|.^"
    config[STAMP] = 27


def _step_28(config: Config) -> None:
    """dns.all_servers and dns.fastest_addr -> dns.upstream_mode."""
    dns = _object(config, "dns")
    if dns is not None:
        all_servers = _bool(dns, "all_servers")
        fastest_addr = _bool(dns, "fastest_addr")
        dns.pop("all_servers", None)
        dns.pop("fastest_addr", None)
        if all_servers:
            dns["upstream_mode"] = "parallel"
        elif fastest_addr:
            dns["upstream_mode"] = "fastest_addr"
        else:
            dns["upstream_mode"] = "load_balance"
        _store(config, "dns", dns)
    config[STAMP] = 28


def _step_29(config: Config, data_dir: str = DATA_DIR) -> None:
    """filtering.safe_fs_patterns: where filter lists may be read from, as until now.

    An absolute path begins with "/"; one with a Windows drive does not count.
    """
    filters = _list(config, "filters")
    filtering = _object(config, "filtering")
    if filters is not None and filtering is not None:
        patterns = [posixpath.join(data_dir, "userfilters", "*")]
        for item in filters:
            if not isinstance(item, dict):
                raise _wrong("filters[*]", "object", item)
            url = _string(item, "url")
            if url is not None and url.startswith("/"):
                patterns.append(url)
        filtering["safe_fs_patterns"] = patterns
        _store(config, "filtering", filtering)
    config[STAMP] = 29


def _step_30(config: Config) -> None:
    """dns.cache_enabled: a size of 0 meant that there is no cache."""
    dns = _object(config, "dns")
    if dns is not None:
        size = _int(dns, "cache_size")
        if size is not None:
            dns["cache_enabled"] = size > 0
    config[STAMP] = 30


def _step_31(config: Config) -> None:
    """Every rewrite that is an object is enabled."""
    filtering = _object(config, "filtering") or {}
    for rewrite in _list(filtering, "rewrites") or []:
        if isinstance(rewrite, dict):
            rewrite["enabled"] = True
    config[STAMP] = 31


def _step_32(config: Config) -> None:
    """The two durations of the optimistic cache."""
    dns = _object(config, "dns")
    if dns is not None:
        dns["cache_optimistic_answer_ttl"] = "30s"
        dns["cache_optimistic_max_age"] = "12h"
        _store(config, "dns", dns)
    config[STAMP] = 32


def _step_33(config: Config) -> None:
    """ignored_enabled for querylog, then for statistics; the first absence ends it."""
    for key in ("querylog", "statistics"):
        section = _object(config, key)
        ignored = None if section is None else _list(section, "ignored")
        if section is None or ignored is None:
            break
        section["ignored_enabled"] = bool(ignored)
    config[STAMP] = 33


def _step_34(config: Config) -> None:
    """http.doh: the routes of DNS-over-HTTPS; tls.allow_unencrypted_doh goes there, too."""
    http = _object(config, "http")
    tls = _object(config, "tls")
    if http is not None and tls is not None:
        doh: Config = {
            "routes": [
                "GET /dns-query",
                "POST /dns-query",
                "GET /dns-query/{ClientID}",
                "POST /dns-query/{ClientID}",
            ]
        }
        _move(tls, "allow_unencrypted_doh", doh, "insecure_enabled")
        http["doh"] = doh
        _store(config, "http", http)
    config[STAMP] = 34


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
    17: _step_17,
    18: _step_18,
    19: _step_19,
    20: _step_20,
    21: _step_21,
    22: _step_22,
    23: _step_23,
    24: _step_24,
    25: _step_25,
    26: _step_26,
    27: _step_27,
    28: _step_28,
    29: _step_29,
    30: _step_30,
    31: _step_31,
    32: _step_32,
    33: _step_33,
    34: _step_34,
}


def migrate(config: Config, to: int = LATEST, *, data_dir: str = DATA_DIR) -> Config:
    """A migrated copy of config, from its own version to `to`.

    A document that is at `to` or newer comes back as an equal copy. `data_dir` is the data
    directory of the installation, which step 29 needs.
    """
    if to not in range(LATEST + 1):
        raise OracleError(f"no such version: {to}")
    if not isinstance(config, dict):
        raise _wrong("document", "object", config)
    result = copy.deepcopy(config)
    version = _int(result, STAMP) or 0
    if version < 0:
        raise OracleError(f"{STAMP}: negative: {version}")
    steps = STEPS | {29: functools.partial(_step_29, data_dir=data_dir)}
    for number in range(version + 1, to + 1):
        steps[number](result)
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
