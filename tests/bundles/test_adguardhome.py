"""The reference bundle against the independent oracle, and its comments."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from confmig.core.planning.facts import DocumentFact, observation
from confmig.core.planning.segments import next_segment
from confmig.documents import formats
from confmig.worker.bundle import LoadedBundle as Bundle
from confmig.worker.local import LocalWorker
from tests.bundles import adguardhome_oracle as oracle

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = sorted((ROOT / "migrations" / "fixtures").glob("*/*.input.yaml"))
INPUTS = sorted((ROOT / "tests" / "bundles" / "adguardhome_inputs").glob("v*.yaml"))
"""One document of each version from 0 to 33."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return LocalWorker().load(ROOT)


def _name(file: Path) -> str:
    return f"{file.parent.name}/{file.name.partition('.')[0]}"


def _migrated(bundle: Bundle, data: bytes, ids: list[str]) -> bytes:
    return bundle.transform({"adguardhome": data}, ids)["adguardhome"].image(data)


def _after(bundle: Bundle, version: int) -> list[str]:
    return [m.id for m in bundle.manifest.migrations if m.sets["adguardhome"] > version]


def _version(data: bytes) -> int:
    return int(yaml.safe_load(data).get("schema_version", 0))


@pytest.mark.parametrize("file", FIXTURES, ids=_name)
def test_one_step_is_what_the_oracle_says(bundle: Bundle, file: Path) -> None:
    data = file.read_bytes()
    got = _migrated(bundle, data, [file.parent.name])
    version = bundle.manifest.by_id[file.parent.name].sets["adguardhome"]
    assert oracle.same(yaml.safe_load(got), oracle.migrate(yaml.safe_load(data), version))


@pytest.mark.parametrize("file", [*FIXTURES, *INPUTS], ids=_name)
def test_the_whole_chain_fused_and_step_by_step_is_what_the_oracle_says(
    bundle: Bundle, file: Path
) -> None:
    data = file.read_bytes()
    ids = _after(bundle, _version(data))
    fused = _migrated(bundle, data, ids)
    stepwise = data
    for name in ids:
        stepwise = _migrated(bundle, stepwise, [name])
    want = oracle.migrate(yaml.safe_load(data))
    assert oracle.same(yaml.safe_load(fused), want)
    assert oracle.same(yaml.safe_load(stepwise), want)


@pytest.mark.parametrize("file", [*FIXTURES, *INPUTS], ids=_name)
def test_the_whole_chain_keeps_the_comments_of_surviving_keys(bundle: Bundle, file: Path) -> None:
    data = file.read_bytes()
    got = _migrated(bundle, data, _after(bundle, _version(data))).decode()
    consumed = (
        "auth_name",
        "auth_pass",
        "statistics_interval",
        "bind_host",
        "bind_port",
        "web_session_ttl",
        "all_servers",
        "fastest_addr",
    )
    replaced = ("existing_target", "existing_querylog", "existing_statistics", "existing_users")
    if any(case in file.name for case in replaced):
        return  # there the migration removes a key that stood in the way, comments included
    for comment in _comments_of_survivors(data.decode("utf-8-sig"), consumed):
        assert comment in got, comment


def test_there_is_a_document_of_every_version() -> None:
    assert [_version(file.read_bytes()) for file in INPUTS] == list(range(34))


@pytest.mark.slow
def test_every_order_that_respects_the_dependencies_gives_the_same_result(bundle: Bundle) -> None:
    """The operations alone, without stamps: the dependency graph names all that must precede."""
    config = bundle.manifest.configs["adguardhome"]
    data = (INPUTS[0].read_bytes().decode() + "\n").encode()
    want = None
    rng = random.Random(34)
    for number in range(201):
        document = bundle.parse(config, data)
        context = bundle.context({"adguardhome": document}, {"adguardhome": data})
        for migration in _order(bundle, rng if number else None):
            program = bundle.programs[migration]
            for operation in program.operations:
                operation.run(document, context)
        got = yaml.safe_load(formats.render(document).data)
        if want is None:
            want = oracle.migrate(yaml.safe_load(data))
            want.pop("schema_version", None)
        got.pop("schema_version", None)
        assert oracle.same(got, want), f"order {number}"


def _order(bundle: Bundle, rng: random.Random | None) -> list[str]:
    """A random topological order; the manifest's own without ``rng``."""
    waiting = {m.id: set(m.depends_on) for m in bundle.manifest.migrations}
    out: list[str] = []
    while waiting:
        ready = [m for m, needs in waiting.items() if needs <= set(out)]
        out.append(rng.choice(ready) if rng is not None else ready[0])
        del waiting[out[-1]]
    return out


def _comments_of_survivors(text: str, consumed: tuple[str, ...]) -> Iterator[str]:
    """Comment lines and trailing comments that do not belong to a key that a migration consumes."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = re.search(r"(?:^|\s)(#.*)$", line)
        if match is None or "'" in line or '"' in line:
            continue
        below = next((x for x in lines[number:] if not x.lstrip().startswith("#")), "")
        if not any(re.match(rf"\s*[\"']?{key}[\"']?\s*:", below) for key in consumed):
            yield match[1].rstrip()


def test_a_repeated_run_gives_the_same_bytes_although_a_password_is_hashed(bundle: Bundle) -> None:
    data = (ROOT / "migrations/fixtures/0005_users/full.input.yaml").read_bytes()
    assert _migrated(bundle, data, ["0005_users"]) == _migrated(bundle, data, ["0005_users"])


def test_another_installation_gets_another_salt(bundle: Bundle) -> None:
    data = (ROOT / "migrations/fixtures/0005_users/full.input.yaml").read_bytes()
    one, two = (
        bundle.transform({"adguardhome": data}, ["0005_users"], key)["adguardhome"].data
        for key in (b"key of one", b"key of two")
    )
    assert one is not None
    assert two is not None
    assert one != two


def test_all_three_classes_are_in_use(bundle: Bundle) -> None:
    assert {m.kind for m in bundle.manifest.migrations} == {
        "online",
        "post_deploy",
        "manual_backfill",
    }


def test_every_segment_of_a_random_walk_ends_at_the_newest_version(bundle: Bundle) -> None:
    rng = random.Random(16)
    for _ in range(50):
        versions = {f"{n}.yaml": rng.randrange(0, 35) for n in range(rng.randrange(1, 5))}
        while True:
            facts = [DocumentFact("adguardhome", p, v, "") for p, v in versions.items()]
            segment = next_segment(
                bundle.manifest, observation(bundle.manifest, facts), lambda m: True
            )
            if segment is None:
                break
            assert len({m.kind for m in segment.migrations}) == 1
            for path, steps in segment.steps.items():
                assert [s.order for s in steps] == list(
                    range(versions[path] + 1, versions[path] + 1 + len(steps))
                )
                versions[path] = steps[-1].order
        assert set(versions.values()) == {34}
