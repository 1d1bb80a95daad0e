"""The chain on files, without daemon, state or policy: what ``confmig migrate`` does.

Files are independent, unless a step before them sets several configurations: then the files of
those go through their steps, and are written, together. The way back takes the journal of the run
that migrated the file.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confmig.adapters.files.disk import Disk
from confmig.adapters.files.lease import Writers
from confmig.adapters.files.patterns import pattern
from confmig.adapters.files.snapshot import PREFIX, Snapshot
from confmig.adapters.files.system_errors import as_error
from confmig.adapters.workers.protocol import Bundle
from confmig.adapters.workers.records import Transformed
from confmig.core.bundle.manifest import Config, Migration
from confmig.core.planning.facts import below_floor
from confmig.core.planning.quiet import Quiet, Rule, Sight
from confmig.errors import ConfmigError, Refused
from confmig.offline.reverse import Entry, way_back
from confmig.transactions.file_exchange import busy, replace_file

Journal = Mapping[str, Mapping[str, Any]]
"""The entries of a former run, by the path of their file."""

WAIT = 5.0
"""Seconds to wait for a file that is being written."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file with the steps before it; or, with ``back_to``, the version it shall go back to."""

    file: Path
    config: Config
    disk: Disk
    snapshot: Snapshot
    version: int
    steps: tuple[Migration, ...]
    back_to: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """What becomes of a file. ``done`` is None for a way back."""

    before: int
    after: int
    data: bytes
    changed: bool
    done: Transformed | None


def config_of(bundle: Bundle, name: str | None, file: Path) -> Config:
    """The configuration that a file is, by the given name or by the file's."""
    configs = bundle.manifest.configs
    if name is not None:
        if name not in configs:
            raise Refused(
                "config_unknown",
                f"the bundle has no configuration `{name}`",
                fix=f"use one of {', '.join(configs)}",
            )
        return configs[name]
    if len(configs) == 1:
        return next(iter(configs.values()))
    fitting = [
        c
        for c in configs.values()
        if any(pattern(p.rpartition("/")[2]).match(file.name) for p in c.files)
    ]
    if len(fitting) != 1:
        raise Refused(
            "config_ambiguous",
            "the file's name fits no configuration, or several",
            fix=f"name its configuration with `--config`: {', '.join(configs)}",
        )
    return fitting[0]


def read_quiet(disk: Disk, name: str, *, wait: float = WAIT) -> Snapshot:
    """Read a file that is to be replaced, once it has been still for a moment.

    No process may write to it meanwhile. Raises ``Busy`` (``target_busy``) if that does not
    happen within ``wait`` seconds.
    """
    quiet = Quiet(Rule(wait=wait))
    until = time.monotonic() + wait
    while True:
        snapshot = disk.read(name)
        now = time.monotonic()
        age = time.time() - snapshot.signature.ctime / 1e9
        writing = snapshot.writers is Writers.OPEN
        seen = Sight(writing, snapshot.signature, age, recorded=True, ours=False, now=now)
        found = quiet.look(name, seen)
        if found is None:
            return snapshot
        if now >= until:
            raise busy(name, snapshot.writer)
        time.sleep(min(found.seconds, 0.05, until - now))


def open_file(
    bundle: Bundle,
    file: Path,
    config: Config,
    to: int | None,
    *,
    back: bool,
    write: bool,
    stack: ExitStack,
) -> Input:
    """Read a file.

    ``to`` is the version it shall have (None: the newest); ``back`` takes a file without a
    stamp back; ``write``: it is to be replaced. The file's directory stays open in ``stack``.
    """
    disk = stack.enter_context(Disk(str(file.parent), size_cap=bundle.caps.size))
    snapshot = read_quiet(disk, file.name) if write else disk.read(file.name)
    version = 0  # of a file without a stamp: its whole chain runs
    if config.stamp is not None:
        stamp = bundle.stamp(config.name, snapshot.data, snapshot.digest)
        assert stamp.version is not None
        version = stamp.version
    chain = bundle.manifest.chain(config.name)
    versions = [m.sets[config.name] for m in chain]
    first, newest = bundle.manifest.floor(config.name), bundle.manifest.newest(config.name)
    last = newest if to is None else to
    if not first <= last <= newest:
        raise Refused(
            "version_unknown",
            f"the bundle knows {config.name} from {first} to {newest}, not {last}",
        )
    if version > last or (back and config.stamp is None):
        return Input(file, config, disk, snapshot, version, (), last)
    steps = tuple(m for m, v in zip(chain, versions, strict=True) if version < v <= last)
    if steps and version < first:
        message, fix = below_floor(version, first)
        raise Refused("document_below_floor", message, fix=fix)
    return Input(file, config, disk, snapshot, version, steps, None)


def bound(bundle: Bundle) -> frozenset[str]:
    """The configurations that some migration sets together with others."""
    return frozenset(c for m in bundle.manifest.migrations if m.joint for c in m.sets)


def components(inputs: Iterable[Input]) -> list[list[Input]]:
    """The files that belong together, in the order of the first of each group.

    A step before one of them sets the other's configuration, too.
    """
    groups: list[list[Input]] = []
    for one in inputs:
        joined = [g for g in groups if any(_joined(one, other) for other in g)]
        merged = [i for g in joined for i in g] + [one]
        at = groups.index(joined[0]) if joined else len(groups)
        groups = [g for g in groups if g not in joined]
        groups.insert(at, merged)
    return groups


def _joined(a: Input, b: Input) -> bool:
    shared = [m for m in {*a.steps, *b.steps} if m.joint]
    return any(a.config.name in m.sets and b.config.name in m.sets for m in shared)


def transform(bundle: Bundle, inputs: list[Input], journal: Journal | None) -> list[Result]:
    """What becomes of the files of one component, in memory."""
    together = [m for one in inputs for m in one.steps if m.joint]
    if not together:
        return [_alone(bundle, one, journal) for one in inputs]
    for migration in dict.fromkeys(together):
        _check_partners(migration, inputs)
    steps = sorted({m for one in inputs for m in one.steps}, key=lambda m: m.order)
    done = bundle.transform(
        {one.config.name: one.snapshot.data for one in inputs}, [m.id for m in steps]
    )
    return [_result(one, done[one.config.name]) for one in inputs]


def _alone(bundle: Bundle, one: Input, journal: Journal | None) -> Result:
    if one.back_to is not None:
        return _back(bundle, one, journal)
    sources = {one.config.name: one.snapshot.data}
    done = bundle.transform(sources, [m.id for m in one.steps])
    return _result(one, done[one.config.name])


def _result(one: Input, done: Transformed) -> Result:
    changed = done.data is not None
    return Result(done.before, done.after, done.image(one.snapshot.data), changed, done)


def _check_partners(migration: Migration, inputs: list[Input]) -> None:
    """Raises ``Refused`` unless there is one file of each configuration, each before the step."""
    mine = [one for one in inputs if one.config.name in migration.sets]
    for name in migration.sets:
        number = sum(one.config.name == name for one in mine)
        if number != 1:
            raise Refused(
                "config_ambiguous",
                f"{migration.id} needs exactly one `{name}` file, but {number or 'none'} "
                f"{'are' if number > 1 else 'is'} given",
                fix=f"give one file of each of {', '.join(migration.sets)}",
            )
    if any(migration not in one.steps for one in mine):
        raise Refused(
            "documents_out_of_step",
            f"{migration.id} changes {' and '.join(migration.sets)} as one, and not all are "
            "before it",
            fix="bring the files to versions that belong together; --to cannot part them",
        )


def _back(bundle: Bundle, one: Input, journal: Journal | None) -> Result:
    """Take back what the migrations after a version changed; see ``way_back``."""
    last = one.back_to
    assert last is not None
    if journal is None:
        raise Refused(
            "document_newer",
            f"the file is at version {one.version}, newer than {last}",
            fix="a lower version needs --journal, the output of the run with --json --show-values",
        )
    found = journal.get(str(one.file))
    if found is None:
        raise Refused(
            "journal_incomplete",
            "the journal does not have this file, or was written without --show-values",
            fix="take the journal of the run that migrated it, written with --show-values",
        )
    entry = Entry.from_json(found)
    partners = [Entry.from_json(journal[name]) for name in entry.together if name in journal]
    data = way_back(bundle, one.snapshot.data, one.version, last, entry, partners)
    return Result(one.version, last, data, data != one.snapshot.data, None)


def write(inputs: list[Input], results: list[Result]) -> None:
    """Replace the files that change; all of a component, or none."""
    written: list[Input] = []
    for one, result in zip(inputs, results, strict=True):
        if not result.changed:
            continue
        try:
            _replace(one.disk, one.snapshot, result.data)
        except ConfmigError:
            for earlier in reversed(written):
                now = earlier.disk.read(earlier.file.name)
                _replace(earlier.disk, now, earlier.snapshot.data)
            raise
        written.append(one)


def _replace(disk: Disk, snapshot: Snapshot, data: bytes) -> None:
    try:
        replace_file(disk, snapshot, data, f"{PREFIX}{uuid.uuid4().hex}")
    except OSError as error:
        raise as_error(error) from None
