"""Tests of the AdGuard Home oracle, of the inputs and of the schemas.

The expected values of the steps are computed by hand from the rules. The engine has no part here.
"""

from __future__ import annotations

import copy
import ipaddress
import json
import random
import re
from pathlib import Path
from typing import Any

import bcrypt
import jsonschema_rs
import pytest
import yaml
import yaml12

from tests.bundles.adguardhome_oracle import DATA_DIR, LATEST, STEPS, OracleError, migrate, same

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
FIXTURES = MIGRATIONS / "fixtures"
SCHEMAS = MIGRATIONS / "schemas" / "adguardhome"

IDS = (
    "0001_baseline",
    "0002_coredns_to_dns",
    "0003_bootstrap_dns_list",
    "0004_clients_global_blocked_services",
    "0005_users",
    "0006_client_ids",
    "0007_dhcp_v4",
    "0008_bind_hosts",
    "0009_local_domain_name",
    "0010_quic_port",
    "0011_os",
    "0012_querylog_interval",
    "0013_dhcp_local_domain_name",
    "0014_clients_runtime_sources",
    "0015_querylog",
    "0016_statistics",
    "0017_edns_client_subnet",
    "0018_dns_safe_search",
    "0019_client_safe_search",
    "0020_statistics_interval_duration",
    "0021_blocked_services_schedule",
    "0022_client_blocked_services_schedule",
    "0023_http_address",
    "0024_log_object",
    "0025_http_pprof",
    "0026_filtering_out_of_dns",
    "0027_ignored_root_pattern",
    "0028_dns_upstream_mode",
    "0029_safe_fs_patterns",
    "0030_dns_cache_enabled",
    "0031_rewrites_enabled",
    "0032_cache_optimistic",
    "0033_ignored_enabled",
    "0034_http_doh",
)
INPUTS = [path for name in IDS for path in sorted((FIXTURES / name).glob("*.input.yaml"))]
FULL = [FIXTURES / name / "full.input.yaml" for name in IDS]
# one realistic document for each version, for the whole rest of the chain
DOCUMENTS = sorted((Path(__file__).parent / "adguardhome_inputs").glob("*.yaml"))
SCHEMA_VERSIONS = tuple(sorted(int(path.stem) for path in SCHEMAS.glob("*.json")))

WHOIS_ETC = {"whois": True, "arp": True, "rdns": False, "dhcp": True, "hosts": True}
QUERYLOG = {
    "ignored": [],
    "enabled": True,
    "file_enabled": True,
    "interval": "2160h",
    "size_memory": 1000,
}
STATISTICS = {"enabled": True, "interval": 1, "ignored": []}
SAFE_SEARCH = {
    "enabled": True,
    "bing": True,
    "duckduckgo": True,
    "google": True,
    "pixabay": True,
    "yandex": True,
    "youtube": True,
}
LOCAL = {"time_zone": "Local"}
MOVED_TO_FILTERING = {
    "filtering_enabled": True,
    "filters_update_interval": 24,
    "parental_enabled": False,
    "safebrowsing_enabled": True,
    "safebrowsing_cache_size": 1,
    "safesearch_cache_size": 2,
    "parental_cache_size": 3,
    "safe_search": {"enabled": False},
    "rewrites": [{"domain": "a.example.org", "answer": "192.0.2.1"}],
    "blocked_services": {"ids": ["chat"]},
    "protection_enabled": True,
    "blocking_mode": "default",
    "blocking_ipv4": "192.0.2.2",
    "blocking_ipv6": "2001:db8::2",
    "blocked_response_ttl": 10,
    "protection_disabled_until": None,
    "parental_block_host": "family.example.org",
    "safebrowsing_block_host": "safe.example.org",
}
DOH_ROUTES = [
    "GET /dns-query",
    "POST /dns-query",
    "GET /dns-query/{ClientID}",
    "POST /dns-query/{ClientID}",
]
USERFILTERS = "/opt/AdGuardHome/data/userfilters/*"


def case(path: Path) -> str:
    if path in DOCUMENTS:
        return path.stem
    return f"{path.parent.name}-{path.name.removesuffix('.input.yaml')}"


def version_of(path: Path) -> int:
    return int(path.stem[1:]) if path in DOCUMENTS else int(path.parent.name[:4]) - 1


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_bytes())


def validator(version: int) -> jsonschema_rs.Draft202012Validator:
    schema = json.loads((SCHEMAS / f"{version}.json").read_text(encoding="utf-8"))
    return jsonschema_rs.Draft202012Validator(schema)


def complaints(version: int, document: object) -> list[str]:
    return [
        f"{error.instance_path}: {error.message}"
        for error in validator(version).iter_errors(document)
    ]


# --- the steps, one by one ---------------------------------------------------------------------

CASES: list[tuple[int, str, dict[str, Any], dict[str, Any]]] = [
    (1, "stamp", {"a": 1}, {"a": 1}),
    (1, "empty", {}, {}),
    (2, "rename", {"coredns": {"port": 53}, "a": 1}, {"dns": {"port": 53}, "a": 1}),
    (2, "replaces", {"coredns": {"port": 53}, "dns": {"x": 1}}, {"dns": {"port": 53}}),
    (2, "absent", {"dns": {"x": 1}}, {"dns": {"x": 1}}),
    (2, "null", {"coredns": None}, {"dns": None}),
    (3, "text", {"dns": {"bootstrap_dns": "8.8.8.8"}}, {"dns": {"bootstrap_dns": ["8.8.8.8"]}}),
    (3, "any value", {"dns": {"bootstrap_dns": ["a"]}}, {"dns": {"bootstrap_dns": [["a"]]}}),
    (3, "null value", {"dns": {"bootstrap_dns": None}}, {"dns": {"bootstrap_dns": [None]}}),
    (3, "absent", {"dns": {"port": 53}}, {"dns": {"port": 53}}),
    (3, "no dns", {"bootstrap_dns": "8.8.8.8"}, {"bootstrap_dns": "8.8.8.8"}),
    (3, "null dns", {"dns": None}, {"dns": None}),
    (
        4,
        "each object",
        {"clients": [{"name": "tv"}, {"use_global_blocked_services": False}, "text"]},
        {
            "clients": [
                {"name": "tv", "use_global_blocked_services": True},
                {"use_global_blocked_services": True},
                "text",
            ]
        },
    ),
    (4, "no clients", {}, {}),
    (4, "null clients", {"clients": None}, {"clients": None}),
    (
        5,
        "both",
        {"auth_name": "admin", "auth_pass": "fake", "x": 1},
        {"users": [{"name": "admin", "password": {"bcrypt": "fake"}}], "x": 1},
    ),
    (5, "no password", {"auth_name": "admin", "x": 1}, {"x": 1}),
    (5, "no name", {"auth_pass": "fake"}, {"auth_pass": "fake"}),
    (5, "neither", {"users": []}, {"users": []}),
    (
        5,
        "nulls",
        {"auth_name": None, "auth_pass": None, "users": [1]},
        {"users": [{"name": "", "password": {"bcrypt": ""}}]},
    ),
    (
        6,
        "order and keys",
        {"clients": [{"mac": "m", "ip": "i"}, {"ip": "i", "mac": ""}, {"mac": "m"}, {}]},
        {
            "clients": [
                {"mac": "m", "ip": "i", "ids": ["i", "m"]},
                {"ip": "i", "mac": "", "ids": ["i"]},
                {"mac": "m", "ids": ["m"]},
                {"ids": []},
            ]
        },
    ),
    (
        6,
        "null and replace",
        {"clients": [{"ip": None, "mac": "m", "ids": ["old"]}]},
        {"clients": [{"ip": None, "mac": "m", "ids": ["m"]}]},
    ),
    (6, "no clients", {"x": 1}, {"x": 1}),
    (
        7,
        "all six",
        {
            "dhcp": {
                "enabled": True,
                "gateway_ip": "192.0.2.1",
                "subnet_mask": "255.255.255.0",
                "range_start": "192.0.2.10",
                "range_end": "192.0.2.20",
                "lease_duration": 86400,
                "icmp_timeout_msec": 1000,
            }
        },
        {
            "dhcp": {
                "enabled": True,
                "dhcpv4": {
                    "gateway_ip": "192.0.2.1",
                    "subnet_mask": "255.255.255.0",
                    "range_start": "192.0.2.10",
                    "range_end": "192.0.2.20",
                    "lease_duration": 86400,
                    "icmp_timeout_msec": 1000,
                },
            }
        },
    ),
    (7, "created empty", {"dhcp": {"enabled": True}}, {"dhcp": {"enabled": True, "dhcpv4": {}}}),
    (7, "a new object", {"dhcp": {"dhcpv4": {"x": 1}}}, {"dhcp": {"dhcpv4": {}}}),
    (7, "null dhcp", {"dhcp": None}, {"dhcp": {"dhcpv4": {}}}),
    (
        7,
        "null values",
        {"dhcp": {"gateway_ip": None, "lease_duration": None}},
        {"dhcp": {"dhcpv4": {"gateway_ip": "", "lease_duration": 0}}},
    ),
    (7, "no dhcp", {"gateway_ip": "x"}, {"gateway_ip": "x"}),
    (8, "list", {"dns": {"bind_host": "::"}}, {"dns": {"bind_hosts": ["::"]}}),
    (8, "null", {"dns": {"bind_host": None}}, {"dns": {"bind_hosts": [""]}}),
    (8, "replaces", {"dns": {"bind_host": "a", "bind_hosts": []}}, {"dns": {"bind_hosts": ["a"]}}),
    (8, "other bind_host", {"bind_host": "a", "dns": {}}, {"bind_host": "a", "dns": {}}),
    (9, "move", {"dns": {"autohost_tld": "lan"}}, {"dns": {"local_domain_name": "lan"}}),
    (
        9,
        "replaces",
        {"dns": {"autohost_tld": "lan", "local_domain_name": "old"}},
        {"dns": {"local_domain_name": "lan"}},
    ),
    (9, "absent", {"dns": {"local_domain_name": "x"}}, {"dns": {"local_domain_name": "x"}}),
    (9, "no dns", {"autohost_tld": "lan"}, {"autohost_tld": "lan"}),
    (
        10,
        "both lists",
        {"dns": {"upstream_dns": ["quic://a.example"], "local_ptr_upstreams": ["quic://b"]}},
        {
            "dns": {
                "upstream_dns": ["quic://a.example:784"],
                "local_ptr_upstreams": ["quic://b:784"],
            }
        },
    ),
    (10, "null list", {"dns": {"upstream_dns": None}}, {"dns": {"upstream_dns": None}}),
    (10, "no lists", {"dns": {}}, {"dns": {}}),
    (10, "no dns", {"upstream_dns": ["quic://a"]}, {"upstream_dns": ["quic://a"]}),
    (
        11,
        "limit",
        {"rlimit_nofile": 4096},
        {"os": {"group": "", "rlimit_nofile": 4096, "user": ""}},
    ),
    (11, "absent", {"a": 1}, {"a": 1, "os": {"group": "", "rlimit_nofile": 0, "user": ""}}),
    (
        11,
        "null, replaces",
        {"rlimit_nofile": None, "os": {"user": "x"}},
        {"os": {"group": "", "rlimit_nofile": 0, "user": ""}},
    ),
    (12, "days", {"dns": {"querylog_interval": 30}}, {"dns": {"querylog_interval": "30d"}}),
    (12, "default", {"dns": {}}, {"dns": {"querylog_interval": "90d"}}),
    (12, "null dns", {"dns": None}, {"dns": {"querylog_interval": "90d"}}),
    (12, "null", {"dns": {"querylog_interval": None}}, {"dns": {"querylog_interval": "0d"}}),
    (12, "no dns", {"querylog_interval": 30}, {"querylog_interval": 30}),
    (
        13,
        "move",
        {"dns": {"local_domain_name": "lan", "a": 1}, "dhcp": {"b": 2}},
        {"dns": {"a": 1}, "dhcp": {"b": 2, "local_domain_name": "lan"}},
    ),
    (
        13,
        "replaces",
        {"dns": {"local_domain_name": "new"}, "dhcp": {"local_domain_name": "old"}},
        {"dns": {}, "dhcp": {"local_domain_name": "new"}},
    ),
    (
        13,
        "null dhcp",
        {"dns": {"local_domain_name": "new"}, "dhcp": None},
        {"dns": {}, "dhcp": {"local_domain_name": "new"}},
    ),
    (
        13,
        "nothing to move",
        {"dns": {}, "dhcp": {"local_domain_name": "x"}},
        {"dns": {}, "dhcp": {"local_domain_name": "x"}},
    ),
    (13, "no dhcp", {"dns": {"local_domain_name": "x"}}, {"dns": {"local_domain_name": "x"}}),
    (13, "no dns", {"dhcp": {"enabled": True}}, {"dhcp": {"enabled": True}}),
    (
        14,
        "list and rdns",
        {"clients": [{"name": "tv"}], "dns": {"resolve_clients": True, "port": 53}},
        {
            "clients": {
                "persistent": [{"name": "tv"}],
                "runtime_sources": WHOIS_ETC | {"rdns": True},
            },
            "dns": {"port": 53},
        },
    ),
    (14, "no clients", {}, {"clients": {"persistent": [], "runtime_sources": WHOIS_ETC}}),
    (
        14,
        "nulls",
        {"clients": None, "dns": {"resolve_clients": None}},
        {"clients": {"persistent": [], "runtime_sources": WHOIS_ETC}, "dns": {}},
    ),
    (
        15,
        "all four",
        {
            "dns": {
                "port": 53,
                "querylog_enabled": False,
                "querylog_file_enabled": False,
                "querylog_interval": "7d",
                "querylog_size_memory": 5,
            }
        },
        {
            "dns": {"port": 53},
            "querylog": {
                "ignored": [],
                "enabled": False,
                "file_enabled": False,
                "interval": "7d",
                "size_memory": 5,
            },
        },
    ),
    (15, "defaults", {"dns": {}, "querylog": {"x": 1}}, {"dns": {}, "querylog": QUERYLOG}),
    (15, "no dns", {"querylog": {"x": 1}}, {"querylog": {"x": 1}}),
    (
        16,
        "days",
        {"dns": {"statistics_interval": 30, "port": 53}},
        {"dns": {"port": 53}, "statistics": {"enabled": True, "interval": 30, "ignored": []}},
    ),
    (
        16,
        "zero",
        {"dns": {"statistics_interval": 0}},
        {"dns": {}, "statistics": {"enabled": False, "interval": 1, "ignored": []}},
    ),
    (
        16,
        "null",
        {"dns": {"statistics_interval": None}},
        {"dns": {}, "statistics": {"enabled": False, "interval": 1, "ignored": []}},
    ),
    (16, "default", {"dns": {}, "statistics": {"x": 1}}, {"dns": {}, "statistics": STATISTICS}),
    (16, "no dns", {"statistics_interval": 5}, {"statistics_interval": 5}),
    (
        17,
        "on",
        {"dns": {"edns_client_subnet": True, "port": 53}},
        {
            "dns": {
                "edns_client_subnet": {"enabled": True, "use_custom": False, "custom_ip": ""},
                "port": 53,
            }
        },
    ),
    (
        17,
        "off",
        {"dns": {"edns_client_subnet": False}},
        {"dns": {"edns_client_subnet": {"enabled": False, "use_custom": False, "custom_ip": ""}}},
    ),
    (
        17,
        "absent",
        {"dns": {}},
        {"dns": {"edns_client_subnet": {"enabled": False, "use_custom": False, "custom_ip": ""}}},
    ),
    (
        17,
        "null",
        {"dns": {"edns_client_subnet": None}},
        {"dns": {"edns_client_subnet": {"enabled": False, "use_custom": False, "custom_ip": ""}}},
    ),
    (
        17,
        "null dns",
        {"dns": None},
        {"dns": {"edns_client_subnet": {"enabled": False, "use_custom": False, "custom_ip": ""}}},
    ),
    (17, "no dns", {"edns_client_subnet": True}, {"edns_client_subnet": True}),
    (
        18,
        "off",
        {"dns": {"safesearch_enabled": False, "port": 53}},
        {"dns": {"safe_search": SAFE_SEARCH | {"enabled": False}, "port": 53}},
    ),
    (18, "on", {"dns": {"safesearch_enabled": True}}, {"dns": {"safe_search": SAFE_SEARCH}}),
    (18, "absent", {"dns": {}}, {"dns": {"safe_search": SAFE_SEARCH}}),
    (
        18,
        "replaces",
        {"dns": {"safe_search": {"bing": False, "x": 1}}},
        {"dns": {"safe_search": SAFE_SEARCH}},
    ),
    (
        18,
        "null goes along",
        {"dns": {"safesearch_enabled": None}},
        {"dns": {"safe_search": SAFE_SEARCH | {"enabled": None}}},
    ),
    (18, "null dns", {"dns": None}, {"dns": {"safe_search": SAFE_SEARCH}}),
    (18, "no dns", {"safesearch_enabled": True}, {"safesearch_enabled": True}),
    (
        19,
        "each object",
        {
            "clients": {
                "persistent": [
                    {"name": "tv", "safesearch_enabled": False},
                    "text",
                    None,
                    {"safesearch_enabled": True, "safe_search": {"bing": False}},
                    {},
                ],
                "runtime_sources": {"arp": True},
            }
        },
        {
            "clients": {
                "persistent": [
                    {"name": "tv", "safe_search": SAFE_SEARCH | {"enabled": False}},
                    "text",
                    None,
                    {"safe_search": SAFE_SEARCH},
                    {"safe_search": SAFE_SEARCH},
                ],
                "runtime_sources": {"arp": True},
            }
        },
    ),
    (
        19,
        "null goes along",
        {"clients": {"persistent": [{"safesearch_enabled": None}]}},
        {"clients": {"persistent": [{"safe_search": SAFE_SEARCH | {"enabled": None}}]}},
    ),
    (19, "empty list", {"clients": {"persistent": []}}, {"clients": {"persistent": []}}),
    (19, "null list", {"clients": {"persistent": None}}, {"clients": {"persistent": None}}),
    (19, "no list", {"clients": {"x": 1}}, {"clients": {"x": 1}}),
    (19, "null clients", {"clients": None}, {"clients": None}),
    (19, "no clients", {"persistent": [{}]}, {"persistent": [{}]}),
    (
        20,
        "days",
        {"statistics": {"enabled": True, "interval": 30}},
        {"statistics": {"enabled": True, "interval": "30d"}},
    ),
    (20, "one", {"statistics": {"interval": 1}}, {"statistics": {"interval": "1d"}}),
    (20, "zero", {"statistics": {"interval": 0}}, {"statistics": {"interval": "1d"}}),
    (20, "negative", {"statistics": {"interval": -1}}, {"statistics": {"interval": "-1d"}}),
    (20, "absent", {"statistics": {"x": 1}}, {"statistics": {"x": 1, "interval": "1d"}}),
    (20, "null", {"statistics": {"interval": None}}, {"statistics": {"interval": "1d"}}),
    (20, "null statistics", {"statistics": None}, {"statistics": {"interval": "1d"}}),
    (20, "no statistics", {"interval": 30}, {"interval": 30}),
    (
        21,
        "list",
        {"dns": {"blocked_services": ["chat", "games"], "port": 53}},
        {"dns": {"blocked_services": {"schedule": LOCAL, "ids": ["chat", "games"]}, "port": 53}},
    ),
    (
        21,
        "empty list",
        {"dns": {"blocked_services": []}},
        {"dns": {"blocked_services": {"schedule": LOCAL, "ids": []}}},
    ),
    (21, "absent", {"dns": {}}, {"dns": {"blocked_services": {"schedule": LOCAL}}}),
    (
        21,
        "null",
        {"dns": {"blocked_services": None}},
        {"dns": {"blocked_services": {"schedule": LOCAL, "ids": []}}},
    ),
    (21, "null dns", {"dns": None}, {"dns": {"blocked_services": {"schedule": LOCAL}}}),
    (21, "no dns", {"blocked_services": ["chat"]}, {"blocked_services": ["chat"]}),
    (
        22,
        "those that have a list",
        {
            "clients": {
                "persistent": [
                    {"name": "tv", "blocked_services": ["chat"]},
                    {"name": "pc"},
                    {"blocked_services": []},
                    {"blocked_services": None},
                ]
            }
        },
        {
            "clients": {
                "persistent": [
                    {"name": "tv", "blocked_services": {"ids": ["chat"], "schedule": LOCAL}},
                    {"name": "pc"},
                    {"blocked_services": {"ids": [], "schedule": LOCAL}},
                    {"blocked_services": {"ids": [], "schedule": LOCAL}},
                ]
            }
        },
    ),
    (22, "empty list", {"clients": {"persistent": []}}, {"clients": {"persistent": []}}),
    (22, "null list", {"clients": {"persistent": None}}, {"clients": {"persistent": None}}),
    (22, "no list", {"clients": {}}, {"clients": {}}),
    (22, "null clients", {"clients": None}, {"clients": None}),
    (22, "no clients", {"a": 1}, {"a": 1}),
    (
        23,
        "all three",
        {"bind_host": "192.0.2.53", "bind_port": 3000, "web_session_ttl": 720, "a": 1},
        {"http": {"address": "192.0.2.53:3000", "session_ttl": "720h"}, "a": 1},
    ),
    (
        23,
        "the golden's three hours",
        {"bind_host": "127.0.0.1", "bind_port": 8081, "web_session_ttl": 3},
        {"http": {"address": "127.0.0.1:8081", "session_ttl": "3h"}},
    ),
    (
        23,
        "whole days are hours, too",
        {"bind_host": "::", "bind_port": 80, "web_session_ttl": 24},
        {"http": {"address": "[::]:80", "session_ttl": "24h"}},
    ),
    (
        23,
        "only the host",
        {"bind_host": "0.0.0.0"},
        {"http": {"address": "0.0.0.0:0", "session_ttl": "0h"}},
    ),
    (
        23,
        "nulls",
        {"bind_host": "0.0.0.0", "bind_port": None, "web_session_ttl": None},
        {"http": {"address": "0.0.0.0:0", "session_ttl": "0h"}},
    ),
    (
        23,
        "the host's text is kept",
        {"bind_host": "2001:DB8:0::53", "bind_port": 80},
        {"http": {"address": "[2001:DB8:0::53]:80", "session_ttl": "0h"}},
    ),
    (
        23,
        "a zone",
        {"bind_host": "fe80::1%eth0", "bind_port": 80},
        {"http": {"address": "[fe80::1%eth0]:80", "session_ttl": "0h"}},
    ),
    (
        23,
        "an IPv4 address in an IPv6 one",
        {"bind_host": "::ffff:192.0.2.1", "bind_port": 80},
        {"http": {"address": "[::ffff:192.0.2.1]:80", "session_ttl": "0h"}},
    ),
    (
        23,
        "replaces",
        {"bind_host": "0.0.0.0", "bind_port": 80, "http": {"pprof": {"port": 1}}},
        {"http": {"address": "0.0.0.0:80", "session_ttl": "0h"}},
    ),
    (
        23,
        "no host",
        {"bind_port": "80", "web_session_ttl": 720, "http": {"a": 1}},
        {"bind_port": "80", "web_session_ttl": 720, "http": {"a": 1}},
    ),
    (23, "empty", {}, {}),
    (
        24,
        "all seven",
        {
            "log_file": "/var/log/agh.log",
            "log_max_backups": 3,
            "log_max_size": 100,
            "log_max_age": 7,
            "log_compress": True,
            "log_localtime": True,
            "verbose": False,
            "language": "en",
        },
        {
            "log": {
                "file": "/var/log/agh.log",
                "max_backups": 3,
                "max_size": 100,
                "max_age": 7,
                "compress": True,
                "local_time": True,
                "verbose": False,
            },
            "language": "en",
        },
    ),
    (24, "one", {"verbose": True}, {"log": {"verbose": True}}),
    (24, "null goes along", {"log_file": None}, {"log": {"file": None}}),
    (24, "replaces", {"log_max_age": 1, "log": {"verbose": True}}, {"log": {"max_age": 1}}),
    (24, "none", {"a": 1}, {"a": 1}),
    (24, "none, an old log", {"log": {"verbose": True}}, {"log": {"verbose": True}}),
    (24, "none, an old log that is no object", {"log": "text"}, {"log": "text"}),
    (
        25,
        "on",
        {"http": {"address": "0.0.0.0:80"}, "debug_pprof": True},
        {"http": {"address": "0.0.0.0:80", "pprof": {"enabled": True, "port": 6060}}},
    ),
    (
        25,
        "absent",
        {"http": {"a": 1}},
        {"http": {"a": 1, "pprof": {"enabled": False, "port": 6060}}},
    ),
    (
        25,
        "null goes along",
        {"http": {}, "debug_pprof": None},
        {"http": {"pprof": {"enabled": None, "port": 6060}}},
    ),
    (
        25,
        "replaces",
        {"http": {"pprof": {"enabled": True, "port": 1}}},
        {"http": {"pprof": {"enabled": False, "port": 6060}}},
    ),
    (25, "null http", {"http": None}, {"http": {"pprof": {"enabled": False, "port": 6060}}}),
    (25, "no http", {"debug_pprof": True}, {"debug_pprof": True}),
    (
        26,
        "all eighteen",
        {"dns": {"port": 53} | MOVED_TO_FILTERING},
        {"dns": {"port": 53}, "filtering": MOVED_TO_FILTERING},
    ),
    (
        26,
        "one",
        {"dns": {"blocking_mode": "nxdomain", "ratelimit": 20}},
        {"dns": {"ratelimit": 20}, "filtering": {"blocking_mode": "nxdomain"}},
    ),
    (
        26,
        "others stay",
        {"dns": {"safesearch_enabled": True, "blocked_hosts": [], "cache_size": 0}},
        {"dns": {"safesearch_enabled": True, "blocked_hosts": [], "cache_size": 0}},
    ),
    (
        26,
        "replaces",
        {"dns": {"rewrites": []}, "filtering": {"rewrites": [1], "x": 1}},
        {"dns": {}, "filtering": {"rewrites": []}},
    ),
    (26, "nothing to move", {"dns": {}, "filtering": {"x": 1}}, {"dns": {}, "filtering": {"x": 1}}),
    (26, "null dns", {"dns": None}, {"dns": None}),
    (26, "no dns", {"rewrites": []}, {"rewrites": []}),
    (
        27,
        "both lists",
        {
            "querylog": {"ignored": [".", "a.example.org", "*.", ".."], "enabled": True},
            "statistics": {"ignored": ["|.^", ".", "."]},
        },
        {
            "querylog": {"ignored": ["|.^", "a.example.org", "*.", ".."], "enabled": True},
            "statistics": {"ignored": ["|.^", "|.^", "|.^"]},
        },
    ),
    (
        27,
        "only statistics",
        {"statistics": {"ignored": ["."]}},
        {"statistics": {"ignored": ["|.^"]}},
    ),
    (
        27,
        "querylog without a list",
        {"querylog": {}, "statistics": {"ignored": ["."]}},
        {"querylog": {}, "statistics": {"ignored": ["|.^"]}},
    ),
    (
        27,
        "other items stay",
        {"querylog": {"ignored": [1, None, ["."], {"a": "."}, "."]}},
        {"querylog": {"ignored": [1, None, ["."], {"a": "."}, "|.^"]}},
    ),
    (
        27,
        "nulls",
        {"querylog": {"ignored": None}, "statistics": None},
        {"querylog": {"ignored": None}, "statistics": None},
    ),
    (27, "neither", {"ignored": ["."]}, {"ignored": ["."]}),
    (
        28,
        "all servers",
        {"dns": {"all_servers": True, "fastest_addr": False, "port": 53}},
        {"dns": {"upstream_mode": "parallel", "port": 53}},
    ),
    (
        28,
        "both",
        {"dns": {"all_servers": True, "fastest_addr": True}},
        {"dns": {"upstream_mode": "parallel"}},
    ),
    (
        28,
        "fastest address",
        {"dns": {"all_servers": False, "fastest_addr": True}},
        {"dns": {"upstream_mode": "fastest_addr"}},
    ),
    (
        28,
        "only fastest address",
        {"dns": {"fastest_addr": True}},
        {"dns": {"upstream_mode": "fastest_addr"}},
    ),
    (
        28,
        "neither",
        {"dns": {"all_servers": False, "fastest_addr": False}},
        {"dns": {"upstream_mode": "load_balance"}},
    ),
    (
        28,
        "absent, replaces",
        {"dns": {"upstream_mode": "parallel"}},
        {"dns": {"upstream_mode": "load_balance"}},
    ),
    (
        28,
        "nulls",
        {"dns": {"all_servers": None, "fastest_addr": None}},
        {"dns": {"upstream_mode": "load_balance"}},
    ),
    (28, "null dns", {"dns": None}, {"dns": {"upstream_mode": "load_balance"}}),
    (28, "no dns", {"all_servers": True}, {"all_servers": True}),
    (
        29,
        "absolute paths, in order",
        {
            "filters": [
                {"url": "/srv/lists/b.txt", "enabled": False},
                {"url": "https://filters.example.org/a.txt"},
                {"url": "srv/a.txt"},
                {"url": "./a.txt"},
                {"url": "file:///srv/a.txt"},
                {"url": "C:\\lists\\a.txt"},
                {"url": ""},
                {"url": None},
                {"name": "without"},
                {"url": "/srv/lists/a.txt"},
                {"url": "/srv/lists/b.txt"},
            ],
            "filtering": {"rewrites": []},
        },
        {
            "filters": [
                {"url": "/srv/lists/b.txt", "enabled": False},
                {"url": "https://filters.example.org/a.txt"},
                {"url": "srv/a.txt"},
                {"url": "./a.txt"},
                {"url": "file:///srv/a.txt"},
                {"url": "C:\\lists\\a.txt"},
                {"url": ""},
                {"url": None},
                {"name": "without"},
                {"url": "/srv/lists/a.txt"},
                {"url": "/srv/lists/b.txt"},
            ],
            "filtering": {
                "rewrites": [],
                "safe_fs_patterns": [
                    USERFILTERS,
                    "/srv/lists/b.txt",
                    "/srv/lists/a.txt",
                    "/srv/lists/b.txt",
                ],
            },
        },
    ),
    (
        29,
        "no items, replaces",
        {"filters": [], "filtering": {"safe_fs_patterns": ["/x"]}},
        {"filters": [], "filtering": {"safe_fs_patterns": [USERFILTERS]}},
    ),
    (
        29,
        "null filters",
        {"filters": None, "filtering": {"a": 1}},
        {"filters": None, "filtering": {"a": 1, "safe_fs_patterns": [USERFILTERS]}},
    ),
    (
        29,
        "null filtering",
        {"filters": [], "filtering": None},
        {"filters": [], "filtering": {"safe_fs_patterns": [USERFILTERS]}},
    ),
    (29, "no filters", {"filtering": {"a": 1}}, {"filtering": {"a": 1}}),
    (29, "no filtering", {"filters": [1, {"url": 1}]}, {"filters": [1, {"url": 1}]}),
    (
        30,
        "some",
        {"dns": {"cache_size": 4194304, "port": 53}},
        {"dns": {"cache_size": 4194304, "cache_enabled": True, "port": 53}},
    ),
    (30, "one", {"dns": {"cache_size": 1}}, {"dns": {"cache_size": 1, "cache_enabled": True}}),
    (30, "zero", {"dns": {"cache_size": 0}}, {"dns": {"cache_size": 0, "cache_enabled": False}}),
    (
        30,
        "negative, replaces",
        {"dns": {"cache_size": -1, "cache_enabled": True}},
        {"dns": {"cache_size": -1, "cache_enabled": False}},
    ),
    (
        30,
        "null",
        {"dns": {"cache_size": None}},
        {"dns": {"cache_size": None, "cache_enabled": False}},
    ),
    (30, "absent", {"dns": {"cache_enabled": "x"}}, {"dns": {"cache_enabled": "x"}}),
    (30, "null dns", {"dns": None}, {"dns": None}),
    (30, "no dns", {"cache_size": 1}, {"cache_size": 1}),
    (
        31,
        "each object",
        {
            "filtering": {
                "rewrites": [
                    {"domain": "a.example.org", "answer": "192.0.2.1"},
                    {"enabled": False},
                    "text",
                    None,
                    {},
                ]
            }
        },
        {
            "filtering": {
                "rewrites": [
                    {"domain": "a.example.org", "answer": "192.0.2.1", "enabled": True},
                    {"enabled": True},
                    "text",
                    None,
                    {"enabled": True},
                ]
            }
        },
    ),
    (31, "empty list", {"filtering": {"rewrites": []}}, {"filtering": {"rewrites": []}}),
    (31, "null list", {"filtering": {"rewrites": None}}, {"filtering": {"rewrites": None}}),
    (31, "no list", {"filtering": {"a": 1}}, {"filtering": {"a": 1}}),
    (31, "null filtering", {"filtering": None}, {"filtering": None}),
    (31, "no filtering", {"dns": {"rewrites": [{}]}}, {"dns": {"rewrites": [{}]}}),
    (
        32,
        "both",
        {"dns": {"cache_optimistic": True}},
        {
            "dns": {
                "cache_optimistic": True,
                "cache_optimistic_answer_ttl": "30s",
                "cache_optimistic_max_age": "12h",
            }
        },
    ),
    (
        32,
        "replaces",
        {"dns": {"cache_optimistic_answer_ttl": 1, "cache_optimistic_max_age": None}},
        {"dns": {"cache_optimistic_answer_ttl": "30s", "cache_optimistic_max_age": "12h"}},
    ),
    (
        32,
        "null dns",
        {"dns": None},
        {"dns": {"cache_optimistic_answer_ttl": "30s", "cache_optimistic_max_age": "12h"}},
    ),
    (32, "no dns", {}, {}),
    (
        33,
        "both",
        {"querylog": {"ignored": ["|.^"], "enabled": True}, "statistics": {"ignored": []}},
        {
            "querylog": {"ignored": ["|.^"], "enabled": True, "ignored_enabled": True},
            "statistics": {"ignored": [], "ignored_enabled": False},
        },
    ),
    (
        33,
        "replaces, nulls",
        {
            "querylog": {"ignored": None, "ignored_enabled": True},
            "statistics": {"ignored": [None], "ignored_enabled": "x"},
        },
        {
            "querylog": {"ignored": None, "ignored_enabled": False},
            "statistics": {"ignored": [None], "ignored_enabled": True},
        },
    ),
    (33, "no querylog", {"statistics": {"ignored": ["a"]}}, {"statistics": {"ignored": ["a"]}}),
    (
        33,
        "null querylog",
        {"querylog": None, "statistics": {"ignored": ["a"]}},
        {"querylog": None, "statistics": {"ignored": ["a"]}},
    ),
    (
        33,
        "querylog without a list",
        {"querylog": {"a": 1}, "statistics": {"ignored": ["a"]}},
        {"querylog": {"a": 1}, "statistics": {"ignored": ["a"]}},
    ),
    (
        33,
        "it stops before it looks",
        {"querylog": {}, "statistics": "text"},
        {"querylog": {}, "statistics": "text"},
    ),
    (
        33,
        "no statistics",
        {"querylog": {"ignored": ["a"]}},
        {"querylog": {"ignored": ["a"], "ignored_enabled": True}},
    ),
    (
        33,
        "statistics without a list",
        {"querylog": {"ignored": ["a"]}, "statistics": {"b": 1}},
        {"querylog": {"ignored": ["a"], "ignored_enabled": True}, "statistics": {"b": 1}},
    ),
    (
        34,
        "move",
        {
            "http": {"address": "0.0.0.0:80"},
            "tls": {"allow_unencrypted_doh": True, "enabled": True},
        },
        {
            "http": {
                "address": "0.0.0.0:80",
                "doh": {"routes": DOH_ROUTES, "insecure_enabled": True},
            },
            "tls": {"enabled": True},
        },
    ),
    (
        34,
        "nothing to move, replaces",
        {"http": {"doh": {"routes": [], "insecure_enabled": True}}, "tls": {}},
        {"http": {"doh": {"routes": DOH_ROUTES}}, "tls": {}},
    ),
    (
        34,
        "null goes along",
        {"http": {}, "tls": {"allow_unencrypted_doh": None}},
        {"http": {"doh": {"routes": DOH_ROUTES, "insecure_enabled": None}}, "tls": {}},
    ),
    (
        34,
        "null objects",
        {"http": None, "tls": None},
        {"http": {"doh": {"routes": DOH_ROUTES}}, "tls": None},
    ),
    (
        34,
        "no http",
        {"tls": {"allow_unencrypted_doh": True}},
        {"tls": {"allow_unencrypted_doh": True}},
    ),
    (34, "no tls", {"http": {"a": 1}}, {"http": {"a": 1}}),
    (34, "neither", {}, {}),
]


@pytest.mark.parametrize(
    ("number", "before", "after"),
    [pytest.param(n, before, after, id=f"{n}-{name}") for n, name, before, after in CASES],
)
def test_step(number: int, before: dict[str, Any], after: dict[str, Any]) -> None:
    source = {"schema_version": number - 1} | before
    original = copy.deepcopy(source)
    wanted = {"schema_version": number} | after

    assert migrate(source, number) == wanted
    assert source == original, "the caller's document was touched"


def test_every_step_has_a_case() -> None:
    assert sorted(STEPS) == list(range(1, LATEST + 1))
    assert {number for number, *_ in CASES} == set(STEPS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("quic://dns.example", "quic://dns.example:784"),
        ("quic://dns.example/path", "quic://dns.example:784/path"),
        ("quic://192.0.2.53", "quic://192.0.2.53:784"),
        ("quic://[2001:db8::53]", "quic://[2001:db8::53]:784"),
        ("[/a.example/]quic://dns.example", "[/a.example/]quic://dns.example:784"),
        ("[/a.example/b.example/]quic://[::1]", "[/a.example/b.example/]quic://[::1]:784"),
        ("[//]quic://dns.example", "[//]quic://dns.example:784"),
    ],
)
def test_quic_upstreams_get_the_port(before: str, after: str) -> None:
    config = {"schema_version": 9, "dns": {"upstream_dns": [before]}}
    assert migrate(config, 10)["dns"] == {"upstream_dns": [after]}


@pytest.mark.parametrize(
    "upstream",
    [
        "",
        "#quic://dns.example",
        "# quic://dns.example",
        "quic://dns.example:784",
        "quic://dns.example:8853",
        "quic://[2001:db8::53]:8853",
        "[/a.example/]quic://dns.example:8853",
        "[/a.example/]#",
        "[/a.example/]",
        "[/a.example/]8.8.8.8",
        "[/no end of the prefix",
        "tls://dns.example",
        "tls://quic.example",
        "https://dns.example/?next=quic://other.example",
        "sdns://AQIAAAAAAAAA",
        "8.8.8.8:53",
        "quic",
        "quic:dns.example",
        "quic://",
    ],
)
def test_other_upstreams_stay(upstream: str) -> None:
    config = {"schema_version": 9, "dns": {"local_ptr_upstreams": [upstream]}}
    assert migrate(config, 10)["dns"] == {"local_ptr_upstreams": [upstream]}


@pytest.mark.parametrize(
    ("number", "before"),
    [
        (3, {"dns": "text"}),
        (3, {"dns": []}),
        (4, {"clients": {}}),
        (5, {"auth_name": 1}),
        (5, {"auth_name": "admin", "auth_pass": 1234}),
        (6, {"clients": ["text"]}),
        (6, {"clients": [None]}),
        (6, {"clients": [{"ip": 1}]}),
        (6, {"clients": "text"}),
        (7, {"dhcp": []}),
        (7, {"dhcp": {"gateway_ip": 1}}),
        (7, {"dhcp": {"lease_duration": "1"}}),
        (7, {"dhcp": {"icmp_timeout_msec": 1.0}}),
        (8, {"dns": {"bind_host": ["a"]}}),
        (9, {"dns": False}),
        (10, {"dns": {"upstream_dns": "8.8.8.8"}}),
        (10, {"dns": {"upstream_dns": ["8.8.8.8", 5]}}),
        (10, {"dns": {"local_ptr_upstreams": [None]}}),
        (11, {"rlimit_nofile": True}),
        (12, {"dns": {"querylog_interval": "30"}}),
        (12, {"dns": {"querylog_interval": 0.25}}),
        (13, {"dns": {}, "dhcp": "text"}),
        (14, {"clients": {}}),
        (14, {"dns": {"resolve_clients": 1}}),
        (14, {"dns": 1}),
        (15, {"dns": []}),
        (16, {"dns": {"statistics_interval": False}}),
        (17, {"dns": []}),
        (17, {"dns": {"edns_client_subnet": "true"}}),
        (17, {"dns": {"edns_client_subnet": {}}}),
        (17, {"dns": {"edns_client_subnet": 1}}),
        (18, {"dns": "text"}),
        (19, {"clients": []}),
        (19, {"clients": {"persistent": {}}}),
        (20, {"statistics": []}),
        (20, {"statistics": {"interval": "30"}}),
        (20, {"statistics": {"interval": 1.5}}),
        (20, {"statistics": {"interval": True}}),
        (21, {"dns": 5}),
        (21, {"dns": {"blocked_services": "chat"}}),
        (21, {"dns": {"blocked_services": {"ids": []}}}),
        (22, {"clients": "text"}),
        (22, {"clients": {"persistent": "text"}}),
        (22, {"clients": {"persistent": ["text"]}}),
        (22, {"clients": {"persistent": [{}, None]}}),
        (22, {"clients": {"persistent": [{"blocked_services": {}}]}}),
        (22, {"clients": {"persistent": [{"blocked_services": "chat"}]}}),
        (23, {"bind_host": ""}),
        (23, {"bind_host": None}),
        (23, {"bind_host": "localhost"}),
        (23, {"bind_host": "agh.example.org"}),
        (23, {"bind_host": "192.0.2.1:80"}),
        (23, {"bind_host": "192.0.2"}),
        (23, {"bind_host": "192.0.2.256"}),
        (23, {"bind_host": "192.0.2.0/24"}),
        (23, {"bind_host": "[::]"}),
        (23, {"bind_host": " ::"}),
        (23, {"bind_host": 3221225985}),
        (23, {"bind_host": ["::"]}),
        (23, {"bind_host": "::", "bind_port": "80"}),
        (23, {"bind_host": "::", "bind_port": 80.0}),
        (23, {"bind_host": "::", "web_session_ttl": "720h"}),
        (23, {"bind_host": "::", "web_session_ttl": False}),
        (25, {"http": "0.0.0.0:80"}),
        (25, {"http": [], "debug_pprof": True}),
        (26, {"dns": []}),
        (27, {"querylog": []}),
        (27, {"querylog": {"ignored": "."}}),
        (27, {"statistics": "text"}),
        (27, {"querylog": {"ignored": []}, "statistics": {"ignored": {}}}),
        (28, {"dns": True}),
        (28, {"dns": {"all_servers": "yes"}}),
        (28, {"dns": {"all_servers": True, "fastest_addr": 1}}),
        (29, {"filters": {}}),
        (29, {"filters": [], "filtering": []}),
        (29, {"filters": ["/srv/a.txt"], "filtering": {}}),
        (29, {"filters": [None], "filtering": {}}),
        (29, {"filters": [{"url": 1}], "filtering": {}}),
        (29, {"filtering": "text"}),
        (30, {"dns": "text"}),
        (30, {"dns": {"cache_size": "4MB"}}),
        (30, {"dns": {"cache_size": True}}),
        (30, {"dns": {"cache_size": 1e6}}),
        (31, {"filtering": []}),
        (31, {"filtering": {"rewrites": {}}}),
        (32, {"dns": []}),
        (33, {"querylog": "text"}),
        (33, {"querylog": {"ignored": "a"}}),
        (33, {"querylog": {"ignored": []}, "statistics": []}),
        (33, {"querylog": {"ignored": []}, "statistics": {"ignored": 1}}),
        (34, {"http": [], "tls": {}}),
        (34, {"http": {}, "tls": True}),
    ],
)
def test_a_wrong_type_is_an_error(number: int, before: dict[str, Any]) -> None:
    source = {"schema_version": number - 1} | before
    original = copy.deepcopy(source)
    with pytest.raises(OracleError):
        migrate(source, number)
    with pytest.raises(OracleError):
        migrate(source)
    assert source == original


@pytest.mark.parametrize(
    ("data_dir", "pattern"),
    [
        ("/var/lib/agh", "/var/lib/agh/userfilters/*"),
        ("/var/lib/agh/", "/var/lib/agh/userfilters/*"),
        ("/", "/userfilters/*"),
        ("data", "data/userfilters/*"),
    ],
)
def test_the_data_directory_is_a_parameter(data_dir: str, pattern: str) -> None:
    config = {"schema_version": 28, "filters": [{"url": "/a"}], "filtering": {}}
    result = migrate(config, 29, data_dir=data_dir)
    assert result["filtering"] == {"safe_fs_patterns": [pattern, "/a"]}
    assert migrate(config, data_dir=data_dir)["filtering"] == result["filtering"]
    assert migrate(config, 29) == migrate(config, 29, data_dir=DATA_DIR)


# --- the chain ---------------------------------------------------------------------------------


def test_the_whole_chain_by_hand() -> None:
    before = {
        "auth_name": "admin",
        "auth_pass": "fake",
        "rlimit_nofile": 10,
        "coredns": {
            "bind_host": "0.0.0.0",
            "bootstrap_dns": "9.9.9.10",
            "upstream_dns": ["quic://dns.example", "8.8.8.8"],
            "autohost_tld": "lan",
            "resolve_clients": True,
            "querylog_enabled": False,
            "querylog_interval": 7,
            "statistics_interval": 0,
        },
        "clients": [{"name": "tv", "ip": "192.0.2.8"}],
        "dhcp": {"enabled": True, "range_start": "192.0.2.100"},
    }
    assert migrate(before, 16) == {
        "schema_version": 16,
        "users": [{"name": "admin", "password": {"bcrypt": "fake"}}],
        "os": {"group": "", "rlimit_nofile": 10, "user": ""},
        "dns": {
            "bind_hosts": ["0.0.0.0"],
            "bootstrap_dns": ["9.9.9.10"],
            "upstream_dns": ["quic://dns.example:784", "8.8.8.8"],
        },
        "clients": {
            "persistent": [
                {
                    "name": "tv",
                    "ip": "192.0.2.8",
                    "ids": ["192.0.2.8"],
                    "use_global_blocked_services": True,
                }
            ],
            "runtime_sources": WHOIS_ETC | {"rdns": True},
        },
        "dhcp": {
            "enabled": True,
            "dhcpv4": {"range_start": "192.0.2.100"},
            "local_domain_name": "lan",
        },
        "querylog": QUERYLOG | {"enabled": False, "interval": "7d"},
        "statistics": STATISTICS | {"enabled": False},
    }


def test_the_second_half_of_the_chain_by_hand() -> None:
    before = {
        "schema_version": 16,
        "bind_host": "2001:db8::53",
        "bind_port": 80,
        "web_session_ttl": 720,
        "debug_pprof": True,
        "log_file": "syslog",
        "verbose": False,
        "dns": {
            "port": 53,
            "all_servers": False,
            "fastest_addr": True,
            "cache_size": 0,
            "edns_client_subnet": True,
            "safesearch_enabled": False,
            "blocked_services": ["chat"],
            "rewrites": [{"domain": "nas.example.org", "answer": "192.0.2.5"}],
            "protection_enabled": True,
        },
        "tls": {"enabled": True, "allow_unencrypted_doh": True},
        "filters": [{"url": "/srv/lists/a.txt"}, {"url": "https://filters.example.org/b.txt"}],
        "clients": {
            "persistent": [
                {"name": "tv", "safesearch_enabled": True, "blocked_services": ["games"]},
                {"name": "pc", "safesearch_enabled": False},
            ],
            "runtime_sources": {"rdns": True},
        },
        "querylog": {"ignored": [".", "a.example.org"], "interval": "7d"},
        "statistics": {"ignored": [], "interval": 30},
    }
    assert migrate(before) == {
        "schema_version": 34,
        "http": {
            "address": "[2001:db8::53]:80",
            "session_ttl": "720h",
            "pprof": {"enabled": True, "port": 6060},
            "doh": {"routes": DOH_ROUTES, "insecure_enabled": True},
        },
        "log": {"file": "syslog", "verbose": False},
        "dns": {
            "port": 53,
            "upstream_mode": "fastest_addr",
            "cache_size": 0,
            "cache_enabled": False,
            "cache_optimistic_answer_ttl": "30s",
            "cache_optimistic_max_age": "12h",
            "edns_client_subnet": {"enabled": True, "use_custom": False, "custom_ip": ""},
        },
        "tls": {"enabled": True},
        "filters": [{"url": "/srv/lists/a.txt"}, {"url": "https://filters.example.org/b.txt"}],
        "filtering": {
            "safe_search": SAFE_SEARCH | {"enabled": False},
            "blocked_services": {"schedule": LOCAL, "ids": ["chat"]},
            "rewrites": [{"domain": "nas.example.org", "answer": "192.0.2.5", "enabled": True}],
            "protection_enabled": True,
            "safe_fs_patterns": [USERFILTERS, "/srv/lists/a.txt"],
        },
        "clients": {
            "persistent": [
                {
                    "name": "tv",
                    "safe_search": SAFE_SEARCH,
                    "blocked_services": {"ids": ["games"], "schedule": LOCAL},
                },
                {"name": "pc", "safe_search": SAFE_SEARCH | {"enabled": False}},
            ],
            "runtime_sources": {"rdns": True},
        },
        "querylog": {
            "ignored": ["|.^", "a.example.org"],
            "ignored_enabled": True,
            "interval": "7d",
        },
        "statistics": {"ignored": [], "ignored_enabled": False, "interval": "30d"},
    }


# Step -> the steps that it needs, because it reads or replaces what they write.
NEEDS: dict[int, set[int]] = {
    number: {2} for number in (3, 8, 9, 10, 12, 15, 16, 17, 18, 21, 26, 28, 30, 32)
} | {
    13: {9},
    14: {2, 4, 6},
    15: {2, 12},
    19: {14},
    20: {16},
    22: {14},
    25: {23},
    26: {2, 18, 21},
    27: {15, 16},
    29: {26},
    31: {26},
    33: {27},
    34: {23},
}

# A document in which every step of the chain has something to do.
BUSY: dict[str, Any] = {
    "auth_name": "admin",
    "auth_pass": "fake",
    "rlimit_nofile": 10,
    "bind_host": "0.0.0.0",
    "bind_port": 80,
    "web_session_ttl": 3,
    "debug_pprof": True,
    "verbose": True,
    "coredns": {
        "bind_host": "0.0.0.0",
        "bootstrap_dns": "192.0.2.53",
        "upstream_dns": ["quic://dns.example.org"],
        "autohost_tld": "lan",
        "resolve_clients": True,
        "querylog_interval": 7,
        "statistics_interval": 30,
        "edns_client_subnet": True,
        "safesearch_enabled": False,
        "blocked_services": ["chat"],
        "all_servers": True,
        "cache_size": 1,
        "rewrites": [{"domain": "a.example.org", "answer": "192.0.2.1"}],
    },
    "dhcp": {"range_start": "192.0.2.100"},
    "tls": {"allow_unencrypted_doh": True},
    "filters": [{"url": "/srv/lists/a.txt"}],
    "clients": [{"ip": "192.0.2.8", "safesearch_enabled": False, "blocked_services": ["games"]}],
}


def in_order(config: dict[str, Any], order: list[int]) -> object:
    """The result of the steps in this order; the error, if one of them refuses the document."""
    result = copy.deepcopy(config)
    for number in order:
        # no dot can be in the lists of ignored names before 15 and 16 have made them
        if number == 27:
            for key in ("querylog", "statistics"):
                if key in result:
                    result[key]["ignored"] = ["."]
        try:
            STEPS[number](result)
        except OracleError as error:
            return str(error)
    del result["schema_version"]
    return result


def test_the_ordering_facts() -> None:
    everything = list(range(1, LATEST + 1))
    wanted = in_order(BUSY, everything)
    assert isinstance(wanted, dict)

    # any order that keeps to them gives the same document ...
    rng = random.Random(34)
    for _ in range(200):
        order: list[int] = []
        while len(order) < LATEST:
            ready = [n for n in everything if n not in order and NEEDS.get(n, set()) <= {*order}]
            order.append(rng.choice(ready))
        assert in_order(BUSY, order) == wanted, order

    # ... and one that breaks any of them gives another document, or none
    for number, needed in NEEDS.items():
        for before in needed:
            order = [n for n in everything if n != number]
            order.insert(order.index(before), number)
            assert in_order(BUSY, order) != wanted, (number, before)


def test_a_chain_in_two_parts_is_the_chain() -> None:
    for path in (*FULL[:4], *FULL[16::6]):
        config = load(path)
        for middle in range(config.get("schema_version", 0), LATEST + 1):
            assert migrate(migrate(config, middle)) == migrate(config)


def test_versions_at_the_edges() -> None:
    assert migrate({}, 0) == {}
    assert migrate({"schema_version": None}, 1) == {"schema_version": 1}
    assert migrate({"schema_version": 16, "dns": 1}, 16) == {"schema_version": 16, "dns": 1}
    assert migrate({"schema_version": 34, "dns": 1}) == {"schema_version": 34, "dns": 1}
    assert migrate({"schema_version": 35}) == {"schema_version": 35}
    assert migrate({"schema_version": 30}, 20) == {"schema_version": 30}
    for wrong in ("1", True, 1.0, -1):
        with pytest.raises(OracleError):
            migrate({"schema_version": wrong})
    for to in (-1, 35):
        with pytest.raises(OracleError):
            migrate({}, to)


# --- comparing ---------------------------------------------------------------------------------


def test_same_verifies_the_hash() -> None:
    def user(password: object) -> dict[str, object]:
        return {"users": [{"name": "admin", "password": password}]}

    hashed = bcrypt.hashpw(b"fake", bcrypt.gensalt(4)).decode()
    expected = user({"bcrypt": "fake"})
    assert same(user(hashed), expected)
    assert same(user(hashed.replace("$2b$", "$2a$", 1)), expected)
    for wrong in ("fake", "", None, 1, {"bcrypt": "fake"}, hashed[:-1]):
        assert not same(user(wrong), expected)
    assert not same(user(bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()), expected)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": 1, "b": [{"c": None}]}, {"b": [{"c": None}], "a": 1}),
        ([], []),
        (float("nan"), float("nan")),
        ("x", "x"),
    ],
)
def test_same(left: object, right: object) -> None:
    assert same(left, right)
    assert same(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (0, False),
        (1, 1.0),
        ("1", 1),
        (None, ""),
        (None, []),
        ([], {}),
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
        ({"a": 1}, {"a": 1, "b": None}),
        ({1: "x"}, {True: "x"}),
        ({"a": {"b": [0]}}, {"a": {"b": [False]}}),
    ],
)
def test_not_same(left: object, right: object) -> None:
    assert not same(left, right)
    assert not same(right, left)


# --- the inputs of the replay fixtures and of the chain ------------------------------------------


def test_every_id_has_its_cases() -> None:
    for name in IDS:
        cases = {path.name for path in (FIXTURES / name).iterdir()}
        assert {"full.input.yaml", "minimal.input.yaml"} <= cases, name


def test_every_version_has_its_document() -> None:
    assert [path.name for path in DOCUMENTS] == [f"v{n:02}.yaml" for n in range(LATEST)]


@pytest.mark.parametrize("path", INPUTS + DOCUMENTS, ids=case)
def test_input(path: Path) -> None:
    version = version_of(path)
    document = load(path)

    assert isinstance(document, dict)
    assert document.get("schema_version", 0) == version
    assert ("schema_version" in document) or version == 0
    if version in SCHEMA_VERSIONS:
        assert complaints(version, document) == []


@pytest.mark.parametrize("path", INPUTS + DOCUMENTS, ids=case)
def test_input_has_no_duplicate_keys(path: Path) -> None:
    # neither parser refuses them
    def check(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), keys
            for _, value in node.value:
                check(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                check(item)

    root = yaml.compose(path.read_bytes(), Loader=yaml.SafeLoader)
    assert root is not None
    check(root)


@pytest.mark.parametrize("path", INPUTS + DOCUMENTS, ids=case)
def test_input_reads_the_same_under_yaml_1_1_and_1_2(path: Path) -> None:
    # PyYAML resolves by YAML 1.1, yaml12 by the core schema of YAML 1.2
    assert same(load(path), yaml12.parse_yaml(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", INPUTS + DOCUMENTS, ids=case)
def test_the_oracle_takes_every_input_and_the_schemas_take_what_it_makes(path: Path) -> None:
    version = version_of(path)
    document = load(path)

    for to in range(version + 1, LATEST + 1):
        result = migrate(document, to)
        assert result["schema_version"] == to
        if to in SCHEMA_VERSIONS:
            assert complaints(to, hashes_for_markers(result)) == []


def hashes_for_markers(config: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(config)
    for user in result.get("users") or []:
        if isinstance(user["password"], dict):
            user["password"] = "$2b$04$" + 53 * "x"
    return result


@pytest.mark.parametrize("path", FULL, ids=case)
def test_full_inputs_are_realistic(path: Path) -> None:
    raw = path.read_bytes()
    text = raw.decode()

    assert 40 <= len(text.splitlines()) <= 120
    assert re.search(r"^#", text, re.MULTILINE), "a comment at the margin"
    assert re.search(r"^ +#", text, re.MULTILINE), "a comment inside of a map or list"
    assert re.search(r"\S +# ", text), "a trailing comment"
    assert "\n\n" in text, "blank lines between sections"
    assert re.search(r"[:-] [|>]", text), "a block scalar"
    assert re.search(r": [\[{]", text), "a flow list or map"
    assert re.search(r"^ *# ?(- \S|\w+: )", text, re.MULTILINE), "a commented-out option"
    assert {"'", '"'} <= set(text), "mixed quoting"


@pytest.mark.parametrize("path", DOCUMENTS, ids=case)
def test_documents_are_realistic_and_commented(path: Path) -> None:
    lines = path.read_bytes().decode().splitlines()
    assert 40 <= len(lines) <= 120

    keys = [n for n, line in enumerate(lines) if re.match(r"\s*(- +)?[\"']?\w+[\"']?:", line)]
    commented = [n for n in keys if " # " in lines[n] or lines[n - 1].lstrip().startswith("#")]
    assert len(commented) >= 0.75 * len(keys)

    assert migrate({"schema_version": version_of(path)}).keys() < migrate(load(path)).keys()


@pytest.mark.parametrize("path", DOCUMENTS, ids=case)
def test_documents_have_only_reserved_addresses_and_names(path: Path) -> None:
    # RFC 5737, RFC 3849, RFC 7042 and RFC 2606
    text = path.read_text(encoding="utf-8")

    networks = [
        ipaddress.ip_network(net)
        for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
    ]
    mac = r"(?<![\w:])[0-9a-f]{2}(?::[0-9a-f]{2}){5}(?![\w:])"
    assert all(found.startswith("00:00:5e:00:53:") for found in re.findall(mac, text))
    found = re.findall(r"(?<![\w.])\d+\.\d+\.\d+\.\d+(?![\w.])", text)
    found += re.findall(r"(?<![\w:])[0-9a-f:]*::[0-9a-f]*(?![\w:])", text)
    assert found
    for address in {*found} - {"0.0.0.0", "255.255.255.0", "::"}:
        assert any(ipaddress.ip_address(address) in net for net in networks), address

    for name in re.findall(r"(?<![\w./-])(?:[a-z0-9-]+\.)+[a-z]{2,}(?![\w.-])", text):
        assert name.endswith((".example.org", ".in-addr.arpa")) or name == "example.org", name


def test_the_byte_level_cases_are_what_they_say() -> None:
    # an editor, a hook or Git's line-ending conversion could quietly take them away
    windows = [path for path in INPUTS if path.name == "crlf.input.yaml"]
    assert len(windows) >= 5
    for path in (*windows, DOCUMENTS[21]):
        crlf = path.read_bytes()
        assert crlf.count(b"\r\n") == crlf.count(b"\n") > 0
    assert DOCUMENTS[29].read_bytes()[-1:] != b"\n"
    for name in ("0001_baseline", "0011_os"):
        assert (FIXTURES / name / "no_final_newline.input.yaml").read_bytes()[-1:] != b"\n"
    texts = [path.read_bytes() for path in INPUTS]
    assert any(re.search(rb":[^\n]*\n- ", text) for text in texts), "unindented sequences"
    assert any(re.search(rb":[^\n]*\n  - ", text) for text in texts), "indented sequences"


# --- the schemas -------------------------------------------------------------------------------


def test_the_schemas_are_there() -> None:
    assert {0, 12, 14, 16} <= {*SCHEMA_VERSIONS}


@pytest.mark.parametrize("version", SCHEMA_VERSIONS)
def test_schema_is_open(version: int) -> None:
    schema = json.loads((SCHEMAS / f"{version}.json").read_text(encoding="utf-8"))

    assert jsonschema_rs.meta.is_valid(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    assert schema.get("required", []) == ([] if version == 0 else ["schema_version"])

    def no_closed_object(node: object, top: bool) -> None:
        if isinstance(node, dict):
            assert "additionalProperties" not in node
            assert "unevaluatedProperties" not in node
            assert top or "required" not in node
            for value in node.values():
                no_closed_object(value, False)
        elif isinstance(node, list):
            for value in node:
                no_closed_object(value, False)

    no_closed_object(schema, True)
    stamp = {} if version == 0 else {"schema_version": version}
    assert complaints(version, stamp) == []
    assert complaints(version, stamp | {"unknown": [1, {"x": None}]}) == []


@pytest.mark.parametrize(
    ("version", "wrong"),
    [
        (0, {"schema_version": 1}),
        (0, {"coredns": "text"}),
        (0, {"dhcp": {"lease_duration": "1h"}}),
        (12, {}),
        (12, {"schema_version": 11}),
        (12, {"schema_version": 12, "dns": {"querylog_interval": 30}}),
        (12, {"schema_version": 12, "dns": {"querylog_interval": "30 days"}}),
        (12, {"schema_version": 12, "dns": {"bootstrap_dns": "8.8.8.8"}}),
        (12, {"schema_version": 12, "clients": {}}),
        (14, {"schema_version": 14, "clients": []}),
        (14, {"schema_version": 14, "clients": {"runtime_sources": {"rdns": "x"}}}),
        (16, {"schema_version": 16, "querylog": {"interval": 90}}),
        (16, {"schema_version": 16, "statistics": {"interval": "1d"}}),
        (16, {"schema_version": 16, "clients": {"persistent": ["tv"]}}),
    ],
)
def test_schema_refuses_the_wrong_shape(version: int, wrong: dict[str, Any]) -> None:
    assert complaints(version, wrong)


@pytest.mark.parametrize("text", ["30d", "-1d", "0d", "2160h", "1h30m0s", "1.5h"])
def test_schema_takes_durations(text: str) -> None:
    assert complaints(12, {"schema_version": 12, "dns": {"querylog_interval": text}}) == []
