"""The manifest: each defect has its code, its place and its fix, and none hides another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from confmig.core.bundle.checksums import checksum, normalised, ordered_ids, sums, sums_text
from confmig.core.bundle.contract import ConfigContract, Contract, Version
from confmig.core.bundle.contract import read as read_contract
from confmig.core.bundle.manifest import Files
from confmig.core.bundle.parity import replays_missing
from confmig.core.bundle.validation import read
from confmig.errors import Problem
from tests.core.builders import bundle, raw_entry, raw_manifest

NONE = Contract()


def problems(files: Files, contract: Contract = NONE) -> list[Problem]:
    got, found = read(files, contract)
    assert (got is None) is bool(found)
    assert all(p.code and p.place and p.message and p.fix for p in found), found
    return found


def of(*entries: Any, **changes: Any) -> list[Problem]:
    return problems(bundle(raw_manifest(*entries, **changes)))


def codes(found: Sequence[Problem]) -> list[str]:
    return sorted({p.code for p in found})


def said(found: Sequence[Problem], code: str, place: str) -> bool:
    return any(p.code == code and place in f"{p.place}: {p.message}" for p in found)


def contract(*versions: tuple[int, str | None], config: str = "app") -> Contract:
    made = {v: Version.model_validate({"schema": s}) for v, s in versions}
    return Contract(configs={config: ConfigContract(versions=made)})


# --- a good one


def test_a_good_manifest_gives_no_problem_and_is_read_as_written() -> None:
    data = raw_manifest(
        raw_entry(2, kind="post_deploy", depends_on=["0001_m"], impact="high"), raw_entry(1)
    )
    files = bundle(data)
    got, found = read(files, NONE)
    assert found == []
    assert got is not None
    assert [m.id for m in got.migrations] == ["0001_m", "0002_m"]
    last = got.migrations[1]
    assert (last.order, last.kind, last.depends_on) == (2, "post_deploy", ("0001_m",))
    assert (last.impact, last.sets) == ("high", {"app": 2})
    assert last.checksum == checksum("0002_m.yaml", files)
    assert got.by_id["0002_m"] is last
    assert got.configs["app"].files == ("app.yaml",)
    stamp = got.configs["app"].stamp
    assert stamp is not None
    assert (stamp.path, stamp.absent) == ("v", 0)
    assert got.chain("app") == got.migrations
    assert got.chain("other") == ()


def test_optional_keys_may_be_left_out() -> None:
    entry = raw_entry(1, depends_on=..., description=...)
    got, found = read(bundle(raw_manifest(entry)), NONE)
    assert found == []
    assert got is not None
    assert (got.migrations[0].depends_on, got.migrations[0].impact) == ((), "normal")


def test_two_configurations_have_each_their_own_contiguous_versions() -> None:
    configs = {
        name: {"files": [f"{name}.yaml"], "format": "yaml", "version": {"path": "v"}}
        for name in ("app", "web")
    }
    entries = [
        raw_entry(1),
        raw_entry(2, sets={"web": 7}),
        raw_entry(3, sets={"app": 2}),
        raw_entry(4, sets={"web": 8}),
    ]
    assert of(*entries, configs=configs) == []


def test_a_contract_that_fits_gives_no_problem() -> None:
    files = bundle(raw_manifest(raw_entry(1), raw_entry(2)), schemas=frozenset({"app/2.json"}))
    fits = contract((0, None), (1, None), (2, "app/2.json"))
    assert read(files, fits)[1] == []


# --- one defect, one code

ONE = [
    ("migration_id_invalid", "1_short", [raw_entry(1, id="1_short")]),
    ("migration_id_invalid", "0001-dash", [raw_entry(1, id="0001-dash")]),
    ("migration_id_invalid", "0001_Upper", [raw_entry(1, id="0001_Upper")]),
    ("migration_id_invalid", "0001_", [raw_entry(1, id="0001_")]),
    ("migration_id_invalid", "٠٠٠١_m", [raw_entry(1, id="٠٠٠١_m")]),
    ("migration_id_invalid", "0007_m", [raw_entry(1, id="0007_m")]),
    ("migration_dependency_unknown", "0001_m", [raw_entry(1, depends_on=["0000_ghost"])]),
    (
        "migration_dependency_order_invalid",
        "0001_m",
        [raw_entry(1, depends_on=["0002_m"]), raw_entry(2)],
    ),
    ("migration_class_missing", "0001_m", [raw_entry(1, kind=...)]),
    ("migration_class_missing", "0001_m", [raw_entry(1, kind=None)]),
    ("migration_class_invalid", "0001_m", [raw_entry(1, kind="offline")]),
    ("migration_class_invalid", "0001_m", [raw_entry(1, kind=["online"])]),
    (
        "migration_class_order_invalid",
        "0002_m",
        [raw_entry(1, kind="post_deploy"), raw_entry(2, depends_on=["0001_m"])],
    ),
    (
        "migration_class_order_invalid",
        "0002_m",
        [raw_entry(1, kind="manual_backfill"), raw_entry(2, depends_on=["0001_m"])],
    ),
    ("migration_version_gap", "0002_m", [raw_entry(1), raw_entry(2, sets={"app": 3})]),
    ("migration_version_gap", "0002_m", [raw_entry(1), raw_entry(2, sets={"app": 1})]),
    (
        "migration_version_gap",
        "0002_m",
        [raw_entry(1, sets={"app": 2}), raw_entry(2, sets={"app": 1})],
    ),
    (
        "migration_order_gap",
        "no migration has order",
        [raw_entry(1), raw_entry(3, sets={"app": 2})],
    ),
    ("migration_order_gap", "no migration has order", [raw_entry(2)]),
    ("config_unknown", "0001_m sets the version of `ghost`", [raw_entry(1, sets={"ghost": 1})]),
]


@pytest.mark.parametrize(("code", "place", "entries"), ONE)
def test_one_defect_of_an_entry_gives_its_code_and_place_and_no_other_code(
    code: str, place: str, entries: list[dict[str, Any]]
) -> None:
    found = of(*entries)
    assert codes(found) == [code], found
    assert said(found, code, place)


def test_an_id_that_ends_with_a_line_end_is_invalid() -> None:
    assert said(of(raw_entry(1, id="0001_m\n")), "migration_id_invalid", "0001_m\n: `id` must be")


def test_a_class_dependency_the_other_way_round_is_fine() -> None:
    later = raw_entry(2, kind="manual_backfill", depends_on=["0001_m"])
    assert of(raw_entry(1, kind="post_deploy"), later) == []
    assert of(raw_entry(1), raw_entry(2, kind="post_deploy", depends_on=["0001_m"])) == []


def test_a_duplicate_id_is_reported() -> None:
    found = of(raw_entry(1), raw_entry(1))
    assert said(found, "migration_id_duplicate", "0001_m")


def test_a_duplicate_order_is_reported() -> None:
    found = of(raw_entry(1), raw_entry(1, id="0001_other", sets={"app": 2}))
    assert codes(found) == ["migration_order_duplicate"]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_cycle_is_reported_with_all_its_members(size: int) -> None:
    names = [f"{n:04d}_m" for n in range(1, size + 1)]
    entries = [raw_entry(n, depends_on=[names[n % size]]) for n in range(1, size + 1)]
    found = of(*entries)
    order = ["migration_dependency_order_invalid"] if size > 1 else []
    assert codes(found) == ["migration_dependency_cycle", *order]
    for name in names:
        assert said(found, "migration_dependency_cycle", name)


@pytest.mark.parametrize("key", ["configs", "migrations"])
def test_a_misspelt_key_of_the_manifest_is_the_only_problem(key: str) -> None:
    data = raw_manifest(raw_entry(1), raw_entry(2))
    files = bundle(data)
    data[f"{key}x"] = data.pop(key)
    found = problems(replace(files, manifest=json.dumps(data).encode()))
    assert len(found) == 1, found
    assert key in found[0].fix


def test_a_key_that_occurs_twice_names_its_entry() -> None:
    text = json.dumps(raw_manifest(raw_entry(1))).replace('"order": 1', '"order": 1, "order": 1')
    found = problems(bundle(raw_manifest(raw_entry(1)), raw=text.encode()))
    assert [p.message for p in found] == ["the key `order` occurs twice in the entry 0001_m"]


def test_a_repeated_version_needs_no_other_migration() -> None:
    [found] = of(raw_entry(1), raw_entry(2, sets={"app": 1}))
    assert found.code == "migration_version_gap"
    assert "missing" not in found.fix


def test_an_order_that_no_id_can_have_gives_no_name() -> None:
    found = of(raw_entry(1, order=-1))
    assert all("name it" not in p.fix for p in found), found


def test_every_missing_order_of_a_gap_is_reported() -> None:
    found = of(raw_entry(1), raw_entry(4, sets={"app": 2}))
    missing = [p.message for p in found if p.code == "migration_order_gap"]
    assert len(missing) == 2
    assert any("2" in m for m in missing)
    assert any("3" in m for m in missing)


@pytest.mark.parametrize("orders", [(0,), (0, 1), (0, 1, 2)])
def test_an_order_that_does_not_begin_at_one_is_reported(orders: tuple[int, ...]) -> None:
    """BUNDLE.md: ``order`` is contiguous from 1."""
    found = of(*(raw_entry(n, sets={"app": n + 1}) for n in orders))
    assert found != []


def test_an_absurd_order_is_reported_without_a_problem_for_every_missing_number() -> None:
    found = of(raw_entry(1), raw_entry(300_000, id="0002_m", sets={"app": 2}))
    assert "migration_order_gap" in codes(found)
    assert len(found) < 1000


def test_defects_of_both_entries_with_the_same_id_are_reported() -> None:
    """One defect never hides another: the second entry must not replace the first."""
    first = raw_entry(1, depends_on=["0099_ghost"])
    found = of(first, raw_entry(1))
    assert said(found, "migration_id_duplicate", "0001_m")
    assert said(found, "migration_dependency_unknown", "0001_m")


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"{",
        b"no json",
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b"\xff\xfe\x00",
        b"\x80",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": 1} trailing',
        b"1" * 5000,
    ],
)
def test_garbage_is_unreadable_and_never_raises(raw: bytes | None) -> None:
    files = Files(raw, b"", {}, {}, frozenset(), {})
    found = problems(files)
    assert codes(found) == ["manifest_unreadable"]
    assert said(found, "manifest_unreadable", "manifest.json")


@pytest.mark.parametrize(
    "raw", [None, b"", b"{", b"[]", b"\x80", b"{}", b'{"migrations": [1]}', b'{"migrations": {}}']
)
def test_the_ids_of_garbage_are_none(raw: bytes | None) -> None:
    assert ordered_ids(raw) == []


def test_the_ids_of_deep_nesting_are_none_and_do_not_raise() -> None:
    assert ordered_ids(b"[" * 100_000) == []


def test_the_ids_are_in_the_order_of_the_orders() -> None:
    data = raw_manifest(raw_entry(3), raw_entry(1), raw_entry(2))
    assert ordered_ids(json.dumps(data).encode()) == ["0001_m", "0002_m", "0003_m"]


def test_an_empty_list_is_an_empty_manifest() -> None:
    assert codes(of()) == ["manifest_empty"]


def test_duplicate_keys_are_reported_at_every_depth() -> None:
    text = json.dumps(raw_manifest(raw_entry(1)))
    for old, key in (
        (' "bundle": "b"', "bundle"),
        ('"order": 1', "order"),
        ('"path": "v"', "path"),
    ):
        twice = text.replace(old, f"{old}, {old}")
        assert twice != text
        found = problems(bundle(raw_manifest(raw_entry(1)), raw=twice.encode()))
        assert [p for p in found if f"`{key}`" in p.message], found


@pytest.mark.parametrize(
    ("place", "data"),
    [
        ("_config_version", raw_manifest(raw_entry(1), _config_version=2)),
        ("_config_version", raw_manifest(raw_entry(1), _config_version=...)),
        ("bundle", raw_manifest(raw_entry(1), bundle="")),
        ("bundle", raw_manifest(raw_entry(1), bundle=3)),
        ("extra", raw_manifest(raw_entry(1), extra=1)),
        ("configs", raw_manifest(raw_entry(1), configs=...)),
        ("configs", raw_manifest(raw_entry(1), configs={})),
        ("configs", raw_manifest(raw_entry(1), configs=["app"])),
        ("configs.app", raw_manifest(raw_entry(1), configs={"app": "app.yaml"})),
        ("migrations", raw_manifest(migrations={})),
        ("migrations", raw_manifest(migrations=...)),
        ("migrations[0]", raw_manifest("0001_m")),
        ("order", raw_manifest(raw_entry(1, order="1"))),
        ("order", raw_manifest(raw_entry(1, order=True))),
        ("order", raw_manifest(raw_entry(1, order=1.0))),
        ("order", raw_manifest(raw_entry(1, order=...))),
        ("sets", raw_manifest(raw_entry(1, sets=...))),
        ("sets", raw_manifest(raw_entry(1, sets={}))),
        ("sets", raw_manifest(raw_entry(1, sets=["app"]))),
        ("sets.app", raw_manifest(raw_entry(1, sets={"app": "1"}))),
        ("sets.app", raw_manifest(raw_entry(1, sets={"app": True}))),
        ("sets.app", raw_manifest(raw_entry(1, sets={"app": -1}))),
        ("depends_on", raw_manifest(raw_entry(1, depends_on="0001_m"))),
        ("depends_on", raw_manifest(raw_entry(1, depends_on=[1]))),
        ("depends_on", raw_manifest(raw_entry(1, depends_on=None))),
        ("impact", raw_manifest(raw_entry(1, impact="low"))),
        ("impact", raw_manifest(raw_entry(1, impact=None))),
        ("description", raw_manifest(raw_entry(1, description={"a": 1}))),
        ("after", raw_manifest(raw_entry(1, after=[]))),
    ],
)
def test_a_wrong_field_is_reported_at_its_place(place: str, data: dict[str, Any]) -> None:
    found = problems(bundle(data))
    assert said(found, "manifest_field_invalid", place), found


def config(**changes: Any) -> dict[str, Any]:
    good = {"files": ["a.yaml"], "format": "yaml", "version": {"path": "v", "absent": 0}}
    return {k: v for k, v in {**good, **changes}.items() if v is not ...}


@pytest.mark.parametrize(
    ("place", "entry"),
    [
        ("files", config(files=...)),
        ("files", config(files=[])),
        ("files", config(files="a.yaml")),
        ("files", config(files=[""])),
        ("files", config(files=[1])),
        ("files", config(files=["/etc/passwd"])),
        ("files", config(files=["../a.yaml"])),
        ("files", config(files=["conf/../../a.yaml"])),
        ("format", config(format=...)),
        ("format", config(format="xml")),
        ("format", config(format=["yaml"])),
        ("version", config(version=...)),
        ("multi_document", config(multi_document="yes")),
        ("inline_comments", config(format="ini", inline_comments=";")),
        ("inline_comments", config(format="ini", inline_comments=["//"])),
        ("inline_comments", config(inline_comments=[";"])),
        ("repeated_keys", config(format="ini", repeated_keys=True)),
        ("continuation", config(format="ini", continuation="tab")),
        ("encoding", config(format="ini", encoding="latin-1")),
        ("encoding", config(format="properties", encoding="cp1252")),
        ("documents", config(format="properties", documents=2)),
        ("version", config(version="v")),
        ("version", config(version={"path": ""})),
        ("version", config(version={"absent": 0})),
        ("version.absent", config(version={"path": "v", "absent": -1})),
        ("version.absent", config(version={"path": "v", "absent": True})),
        ("version.absent", config(version={"path": "v", "absent": "0"})),
        ("`infer` in `configs.app.version`", config(version={"path": "v", "infer": "schema"})),
        ("mode", config(mode="overlay")),
    ],
)
def test_a_wrong_field_of_a_configuration_is_reported_at_its_place(
    place: str, entry: dict[str, Any]
) -> None:
    found = of(raw_entry(1), configs={"app": entry})
    assert codes(found) == ["manifest_field_invalid"]
    assert said(found, "manifest_field_invalid", "configs.app")
    assert said(found, "manifest_field_invalid", place)


# --- around the manifest


def test_an_entry_without_file_and_a_file_without_entry_are_reported() -> None:
    data = raw_manifest(raw_entry(1), raw_entry(2))
    files = bundle(data, migrations={"0001_m.py": b"", "0009_orphan.yaml": b"", "notes.txt": b""})
    found = problems(files)
    assert codes(found) == ["migration_registry_missing", "migration_registry_orphan"]
    assert said(found, "migration_registry_missing", "0002_m")
    assert said(found, "migration_registry_orphan", "0009_orphan.yaml")
    assert said(found, "migration_registry_orphan", "notes.txt")


def test_a_file_with_a_near_ending_is_an_orphan() -> None:
    files = bundle(raw_manifest(raw_entry(1)), migrations={"0001_m.yaml": b"", "0001_m.yml": b""})
    found = problems(files)
    assert codes(found) == ["migration_registry_orphan"]
    assert said(found, "migration_registry_orphan", "0001_m.yml")


def three(**changes: bytes) -> Files:
    text = {"0001_m.yaml": b"one\n", "0002_m.yaml": b"two\n", "0003_m.yaml": b"three\n"}
    text |= {f"{name.lstrip('_')}.yaml": content for name, content in changes.items()}
    return bundle(raw_manifest(*(raw_entry(n) for n in (1, 2, 3))), migrations=text)


IDS = ["0001_m", "0002_m", "0003_m"]


@pytest.mark.parametrize(
    ("sum_file", "place"),
    [
        (None, "manifest.sum"),
        (b"", "0001_m"),
        (b"no line of a sum\n", "manifest.sum"),
        (b"\x80\xff\n", "manifest.sum"),
        (sums_text(sums(three(), IDS[:2])), "0003_m"),
        (sums_text([*sums(three(), IDS), ("0004_m", "0" * 64)]), "0004_m"),
        (sums_text(sums(three(_0002_m=b"changed\n"), IDS)), "0002_m"),
        (sums_text(sums(three(_0003_m=b"changed\n"), IDS)), "0003_m"),
    ],
)
def test_a_sum_that_is_not_that_of_the_files_names_the_first_line_that_differs(
    sum_file: bytes | None, place: str
) -> None:
    good = three()
    files = bundle(json.loads(good.manifest or b""), migrations=good.migrations, sum_file=sum_file)
    found = problems(files)
    assert codes(found) == ["migration_checksum_mismatch"]
    assert said(found, "migration_checksum_mismatch", place)


@pytest.mark.parametrize(
    "change",
    [lambda b: b.replace(b"\n", b"\r\n"), lambda b: b"\xef\xbb\xbf" + b],
    ids=["line endings", "BOM"],
)
def test_line_endings_and_bom_count_nowhere(change: Any) -> None:
    good = three()
    altered = Files(
        change(good.manifest),
        change(good.sums),
        {name: change(text) for name, text in good.migrations.items()},
        {},
        frozenset(),
        {},
    )
    before, after = read(good, NONE), read(altered, NONE)
    assert before[1] == after[1] == []
    assert before[0] is not None
    assert after[0] is not None
    assert before[0].digest == after[0].digest
    assert ordered_ids(altered.manifest) == IDS


def test_normalising_keeps_everything_else() -> None:
    assert normalised(b"\xef\xbb\xbfa\r\nb\n\xef\xbb\xbf c \r\n") == b"a\nb\n\xef\xbb\xbf c \n"


def test_an_insert_changes_its_line_and_every_later_one_and_none_before() -> None:
    files = three(_0002_x=b"inserted\n")
    before = sums(files, IDS)
    after = sums(files, ["0001_m", "0002_x", "0002_m", "0003_m"])
    assert after[0] == before[0]
    assert dict(after)["0002_m"] != dict(before)["0002_m"]
    assert dict(after)["0003_m"] != dict(before)["0003_m"]
    assert len({digest for _, digest in [*before, *after]}) == 6


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_changed_file_changes_its_line_and_every_later_one(at: int) -> None:
    before = sums(three(), IDS)
    after = sums(three(**{f"_{IDS[at]}": b"changed\n"}), IDS)
    assert [a == b for a, b in zip(before, after, strict=True)] == [n < at for n in range(3)]


def test_swapping_two_migrations_changes_the_sums() -> None:
    files = three()
    assert dict(sums(files, IDS))["0003_m"] != dict(sums(files, [IDS[1], IDS[0], IDS[2]]))["0003_m"]


def test_a_handler_counts_for_the_migrations_that_name_it_and_no_other() -> None:
    text = {"0001_m.yaml": b"- custom: handlers/h.py\n", "0002_m.yaml": b"- set: 1\n"}
    data = raw_manifest(raw_entry(1), raw_entry(2))

    def sums_with(code: bytes) -> list[str]:
        files = bundle(data, migrations=text, handlers={"handlers/h.py": code})
        return [checksum(name, files) for name in text]

    one, other, crlf = sums_with(b"a\n"), sums_with(b"b\n"), sums_with(b"a\r\n")
    assert one[0] != other[0]
    assert one[1] == other[1]
    assert one == crlf


def test_the_digest_of_a_manifest_names_its_text_and_its_migrations() -> None:
    digests = set()
    for files in (
        three(),
        three(_0002_m=b"changed\n"),
        bundle(raw_manifest(*(raw_entry(n) for n in (1, 2, 3)), bundle="other")),
    ):
        got, found = read(files, NONE)
        assert found == []
        assert got is not None
        digests.add(got.digest)
    assert len(digests) == 3


# --- the contract


@pytest.mark.parametrize(
    ("wanted", "place", "agreed"),
    [
        ("schema_missing", "version 1", contract((1, "app/1.json"))),
        ("schema_bump_without_migration", "version 3", contract((3, None))),
        ("config_unknown", "ghost", contract((1, None), config="ghost")),
    ],
)
def test_a_contract_that_does_not_fit_is_reported(
    wanted: str, place: str, agreed: Contract
) -> None:
    found = problems(bundle(raw_manifest(raw_entry(1), raw_entry(2))), agreed)
    assert codes(found) == [wanted]
    assert said(found, wanted, place)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b"\x80", b'{"configs": []}', b'{"x": 1}', b"[" * 100_000]
)
def test_a_broken_contract_is_reported_and_never_raises(raw: bytes) -> None:
    got, found = read_contract(raw)
    assert got == Contract()
    assert {p.code for p in found} == {"contract_invalid"}
    assert all(p.place and p.message and p.fix for p in found)


def test_no_contract_is_an_empty_one() -> None:
    assert read_contract(None) == (Contract(), [])


# --- replay fixtures


def test_a_migration_without_a_whole_replay_fixture_is_reported() -> None:
    data = raw_manifest(*(raw_entry(n) for n in (1, 2, 3, 4)))
    fixtures = {
        "0001_m": ("plain.input.yaml", "plain.expected.yaml"),
        "0002_m": ("plain.input.yaml",),
        "0003_m": ("plain.input.yaml", "plain.expected.yaml", "late.expected.yaml"),
    }
    files = bundle(data, fixtures=fixtures)
    got, found = read(files, NONE)
    assert found == []
    assert got is not None
    missing = replays_missing(got.by_id, files)
    assert {p.code for p in missing} == {"replay_missing"}
    assert all(p.message and p.fix for p in missing)
    places = [p.place for p in missing]
    assert not [p for p in places if "0001_m" in p]
    assert [p for p in places if "0002_m" in p]
    assert [p for p in places if "0003_m/late" in p]
    assert [p for p in places if p.endswith("0004_m")]


# --- all at once


def test_every_defect_that_can_coexist_is_reported_in_one_reading() -> None:
    data = raw_manifest(
        raw_entry(1, kind="post_deploy", depends_on=["0002_m"]),
        raw_entry(2, kind=...),
        raw_entry(2, depends_on=["0001_m", "0000_ghost"]),
        raw_entry(2, id="0002_twin", kind="offline", sets={"nowhere": 1}),
        raw_entry(4, id="BAD", sets={"app": 9}, depends_on=7),
        raw_entry(6, sets={"app": 10}, impact="low"),
        raw_entry(7, kind="online", sets={"app": 11}, depends_on=["0001_m"]),
        "not an entry",
        surprise=True,
    )
    text = json.dumps(data).replace('"bundle": "b"', '"bundle": "b", "bundle": "b"').encode()
    files = bundle(
        data,
        raw=text,
        migrations={f"{n}.yaml": b"" for n in ("0001_m", "0002_m", "0007_m", "0099_orphan")},
        sum_file=b"0" * 64 + b" 0001_m\n",
    )
    agreed = Contract(
        configs={
            "app": ConfigContract(
                versions={
                    1: Version.model_validate({"schema": "app/1.json"}),
                    5: Version.model_validate({"schema": None}),
                }
            ),
            "strange": ConfigContract(),
        }
    )
    found = problems(files, agreed)
    for code, place in [
        ("migration_id_invalid", "BAD: `id` must be"),
        ("migration_id_duplicate", "0002_m"),
        ("migration_order_duplicate", "0002_twin"),
        ("migration_order_gap", "no migration has order 5"),
        ("migration_dependency_unknown", "0002_m"),
        ("migration_dependency_order_invalid", "0001_m"),
        ("migration_dependency_cycle", "0001_m"),
        ("migration_class_missing", "0002_m"),
        ("migration_class_invalid", "0002_twin"),
        ("migration_class_order_invalid", "0007_m"),
        ("migration_registry_missing", "0006_m"),
        ("migration_registry_missing", "0002_twin"),
        ("migration_registry_orphan", "0099_orphan"),
        ("migration_version_gap", "0002_m"),
        ("migration_checksum_mismatch", "0001_m"),
        ("config_unknown", "`nowhere`"),
        ("config_unknown", "strange"),
        ("schema_missing", "version 1 of `app`"),
        ("schema_bump_without_migration", "version 5 of `app`"),
        ("manifest_field_invalid", "surprise"),
        ("manifest_field_invalid", "migrations[7]"),
        ("manifest_field_invalid", "depends_on"),
        ("manifest_field_invalid", "impact"),
    ]:
        assert said(found, code, place), (code, place)
    assert any("`bundle`" in p.message for p in found)


# --- any value anywhere

KEYS = [
    "_config_version",
    "bundle",
    "configs",
    "migrations",
    "files",
    "format",
    "version",
    "path",
    "absent",
    "app",
    "id",
    "order",
    "class",
    "sets",
    "depends_on",
    "description",
    "impact",
    "x",
]
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 40)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["0001_m", "0002_m", "online", "post_deploy", "yaml", "app", "\ud800"])
)
JSON = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=10,
)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(JSON)
def test_no_value_at_the_root_makes_reading_raise(data: Any) -> None:
    files = bundle(raw_manifest(raw_entry(1)), raw=json.dumps(data).encode())
    assert problems(files)
    assert isinstance(ordered_ids(files.manifest), list)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.sampled_from(["_config_version", "bundle", "configs", "migrations"]), JSON)
def test_no_value_of_a_root_key_makes_reading_raise(key: str, value: Any) -> None:
    data = raw_manifest(raw_entry(1), raw_entry(2, depends_on=["0001_m"]))
    data[key] = value
    problems(bundle(data), contract((1, None), (2, "app/2.json")))


@settings(derandomize=True, deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(st.sampled_from(["id", "order", "class", "sets", "depends_on", "impact"]), JSON),
        min_size=1,
        max_size=3,
    )
)
def test_no_value_of_a_field_makes_reading_raise(changes: list[tuple[str, Any]]) -> None:
    data = raw_manifest(raw_entry(1), raw_entry(2, depends_on=["0001_m"]), raw_entry(3))
    for n, (key, value) in enumerate(changes):
        data["migrations"][n][key] = value
    files = bundle(data)
    problems(files, contract((1, None), (2, None)))
    ordered_ids(files.manifest)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.binary(max_size=40))
def test_no_bytes_make_reading_raise(raw: bytes) -> None:
    files = Files(raw, raw, {"0001_m.yaml": raw}, {"handlers/h.py": raw}, frozenset(), {})
    assert problems(files)
    assert ordered_ids(raw) == []


# --- migrations over several configurations


def configs(*names: str) -> dict[str, Any]:
    return {n: config(files=[f"{n.replace(':', '-')}.yaml"]) for n in names}


def test_a_migration_may_set_several_configurations() -> None:
    entries = [
        raw_entry(1),
        raw_entry(2, sets={"app": 2, "web": 7}),
        raw_entry(3, sets={"web": 8}),
        raw_entry(4, sets={"web": 9, "app": 3}),
    ]
    files = bundle(raw_manifest(*entries, configs=configs("app", "web")))
    got, found = read(files, NONE)
    assert found == []
    assert got is not None
    assert [m.joint for m in got.migrations] == [False, True, False, True]
    assert got.migrations[1].sets == {"app": 2, "web": 7}
    assert [m.order for m in got.chain("app")] == [1, 2, 4]
    assert [m.order for m in got.chain("web")] == [2, 3, 4]


@pytest.mark.parametrize(
    ("code", "place", "entries"),
    [
        (
            "config_unknown",
            "0001_m sets the version of `web2`",
            [raw_entry(1, sets={"app": 1, "web2": 1})],
        ),
        ("manifest_field_invalid", "sets.web", [raw_entry(1, sets={"app": 1, "web": 0})]),
        ("manifest_field_invalid", "sets.web", [raw_entry(1, sets={"app": 1, "web": True})]),
        (
            "migration_version_gap",
            "0002_m skips version 2 of `web`",
            [raw_entry(1, sets={"app": 1, "web": 1}), raw_entry(2, sets={"app": 2, "web": 3})],
        ),
        (
            "migration_version_gap",
            "0002_m sets `app` to 1, but 0001_m",
            [raw_entry(1, sets={"app": 1, "web": 1}), raw_entry(2, sets={"app": 1, "web": 2})],
        ),
    ],
)
def test_a_defect_of_one_of_the_configurations_is_reported_at_its_place(
    code: str, place: str, entries: list[dict[str, Any]]
) -> None:
    found = of(*entries, configs=configs("app", "web"))
    assert said(found, code, place), found
    assert codes(found) == [code]


@pytest.mark.parametrize("name", ["a:b", ":", "web:"])
def test_a_name_with_a_colon_cannot_be_one_of_several(name: str) -> None:
    found = of(raw_entry(1, sets={"app": 1, name: 1}), configs=configs("app", name))
    assert said(found, "manifest_field_invalid", f"the name `{name}`"), found
    assert "colon" in found[0].message


def test_a_name_with_a_colon_is_fine_alone() -> None:
    entries = [raw_entry(1, sets={"a:b": 1}), raw_entry(2, sets={"app": 1})]
    assert of(*entries, configs=configs("app", "a:b")) == []


def test_a_python_file_changes_one_configuration() -> None:
    data = raw_manifest(
        raw_entry(1), raw_entry(2, sets={"app": 2, "web": 1}), configs=configs("app", "web")
    )
    found = problems(bundle(data, migrations={"0001_m.py": b"", "0002_m.py": b""}))
    assert said(found, "manifest_field_invalid", "0002_m is a Python file"), found
    assert not said(found, "manifest_field_invalid", "0001_m"), found
    assert problems(bundle(data, migrations={"0001_m.py": b"", "0002_m.yaml": b""})) == []


def test_a_handler_counts_for_a_common_migration_that_names_it_with_its_configuration() -> None:
    data = raw_manifest(raw_entry(1, sets={"app": 1, "web": 1}), configs=configs("app", "web"))
    written = {"0001_m.yaml": b"- custom: app:handlers/h.py\n"}
    one = bundle(data, migrations=written, handlers={"handlers/h.py": b"a"})
    other = bundle(data, migrations=written, handlers={"handlers/h.py": b"b"})
    assert checksum("0001_m.yaml", one) != checksum("0001_m.yaml", other)


def test_a_contract_may_have_schemas_for_a_version_that_a_common_migration_makes() -> None:
    data = raw_manifest(raw_entry(1, sets={"app": 1, "web": 1}), configs=configs("app", "web"))
    files = bundle(data, schemas=frozenset({"web/1.json"}))
    assert read(files, contract((1, "web/1.json"), config="web"))[1] == []
    found = problems(files, contract((1, None), (2, None), config="web"))
    assert codes(found) == ["schema_bump_without_migration"]


def test_versions_after_a_gap_are_not_problems_of_their_own() -> None:
    entries = [raw_entry(n, sets={"app": version}) for n, version in ((1, 1), (2, 3), (3, 3))]
    found = problems(bundle(raw_manifest(*entries)))
    assert [(p.code, p.message) for p in found] == [
        ("migration_version_gap", "0002_m skips version 2 of `app`")
    ]
    assert "set `sets.app` to 2 there" in found[0].fix


def test_a_misspelt_key_is_one_problem() -> None:
    entry = raw_entry(1)
    entry["oder"] = entry.pop("order")
    found = problems(bundle(raw_manifest(entry)))
    assert [(p.code, p.message, p.fix) for p in found] == [
        (
            "manifest_field_invalid",
            "0001_m: unknown key `oder`; did you mean `order`?",
            "write `order`",
        )
    ]


def test_what_follows_from_a_wrong_value_is_not_reported() -> None:
    """A version that is no number, and an order that is missing, are one problem each."""
    for change in ({"sets": {"app": "2"}}, {"order": ...}):
        right = bundle(raw_manifest(*(raw_entry(n) for n in (1, 2, 3))))
        data = raw_manifest(raw_entry(1), raw_entry(2, **change), raw_entry(3))
        found = problems(bundle(data, sum_file=right.sums))
        assert [p.code for p in found] == ["manifest_field_invalid"], found
        assert ordered_ids(json.dumps(data).encode()) == IDS
