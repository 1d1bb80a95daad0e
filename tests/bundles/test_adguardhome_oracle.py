"""Tests of the AdGuard Home oracle, and of the replay fixtures' inputs and the schemas.

The expected values of the steps are computed by hand from the rules. The engine has no part here.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import bcrypt
import jsonschema_rs
import pytest
import yaml
import yaml12

from tests.bundles.adguardhome_oracle import LATEST, STEPS, OracleError, migrate, same

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
)
INPUTS = [path for name in IDS for path in sorted((FIXTURES / name).glob("*.input.yaml"))]
FULL = [FIXTURES / name / "full.input.yaml" for name in IDS]
SCHEMA_VERSIONS = (0, 12, 14, 16)

WHOIS_ETC = {"whois": True, "arp": True, "rdns": False, "dhcp": True, "hosts": True}
QUERYLOG = {
    "ignored": [],
    "enabled": True,
    "file_enabled": True,
    "interval": "2160h",
    "size_memory": 1000,
}
STATISTICS = {"enabled": True, "interval": 1, "ignored": []}


def case(path: Path) -> str:
    return f"{path.parent.name}-{path.name.removesuffix('.input.yaml')}"


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
    ],
)
def test_a_wrong_type_is_an_error(number: int, before: dict[str, Any]) -> None:
    source = {"schema_version": number - 1} | before
    original = copy.deepcopy(source)
    with pytest.raises(OracleError):
        migrate(source, LATEST)
    assert source == original


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
    assert migrate(before) == {
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


def test_a_chain_in_two_parts_is_the_chain() -> None:
    for path in FULL[:4]:
        config = load(path)
        for middle in range(config.get("schema_version", 0), LATEST + 1):
            assert migrate(migrate(config, middle)) == migrate(config)


def test_versions_at_the_edges() -> None:
    assert migrate({}, 0) == {}
    assert migrate({"schema_version": None}, 1) == {"schema_version": 1}
    assert migrate({"schema_version": 16, "dns": 1}) == {"schema_version": 16, "dns": 1}
    assert migrate({"schema_version": 34}) == {"schema_version": 34}
    for wrong in ("1", True, 1.0, -1):
        with pytest.raises(OracleError):
            migrate({"schema_version": wrong})
    for to in (-1, 17):
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


# --- the replay fixtures' inputs ---------------------------------------------------------------


def test_every_id_has_its_cases() -> None:
    for name in IDS:
        cases = {path.name for path in (FIXTURES / name).iterdir()}
        assert {"full.input.yaml", "minimal.input.yaml"} <= cases, name


@pytest.mark.parametrize("path", INPUTS, ids=case)
def test_input(path: Path) -> None:
    version = int(path.parent.name[:4]) - 1
    document = load(path)

    assert isinstance(document, dict)
    assert document.get("schema_version", 0) == version
    if version in SCHEMA_VERSIONS:
        assert complaints(version, document) == []


@pytest.mark.parametrize("path", INPUTS, ids=case)
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


@pytest.mark.parametrize("path", INPUTS, ids=case)
def test_input_reads_the_same_under_yaml_1_1_and_1_2(path: Path) -> None:
    # PyYAML resolves by YAML 1.1, yaml12 by the core schema of YAML 1.2
    assert same(load(path), yaml12.parse_yaml(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", INPUTS, ids=case)
def test_the_oracle_takes_every_input_and_the_schemas_take_what_it_makes(path: Path) -> None:
    version = int(path.parent.name[:4]) - 1
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


def test_the_byte_level_cases_are_what_they_say() -> None:
    # an editor, a hook or Git's line-ending conversion could quietly take them away
    crlf = (FIXTURES / "0008_bind_hosts" / "crlf.input.yaml").read_bytes()
    assert crlf.count(b"\r\n") == crlf.count(b"\n") > 0
    for name in ("0001_baseline", "0011_os"):
        assert (FIXTURES / name / "no_final_newline.input.yaml").read_bytes()[-1:] != b"\n"
    texts = [path.read_bytes() for path in INPUTS]
    assert any(re.search(rb":[^\n]*\n- ", text) for text in texts), "unindented sequences"
    assert any(re.search(rb":[^\n]*\n  - ", text) for text in texts), "indented sequences"


# --- the schemas -------------------------------------------------------------------------------


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
