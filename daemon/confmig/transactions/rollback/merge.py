"""What each file becomes in a rollback.

The old bytes, or the old bytes with the later edits in them (``documents.rebase``). Files that were
migrated as one are taken back as one. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confmig.adapters.files.metadata import Metadata
from confmig.adapters.files.snapshot import Snapshot
from confmig.adapters.state.port import CheckpointStore
from confmig.adapters.workers.protocol import Bundle
from confmig.adapters.workers.records import MergePart
from confmig.core.planning.facts import below_floor
from confmig.core.planning.joint import tied_groups
from confmig.errors import Fault, Refused
from confmig.transactions.rollback.selection import Job, Part, Undoing, bundle_of, same_migrations
from confmig.writer import counted, located


@dataclass(frozen=True, slots=True)
class Restored:
    """One file as it will be.

    ``how`` is ``restored`` (to the byte), ``merged`` (with later edits) or ``discarded`` (later
    edits go to ``rescue/``). ``edited`` and ``merged`` have bytes that are not stored as an
    image.
    """

    part: Part
    digest: str
    metadata: Metadata
    mounted: bool
    how: str
    edited: bytes | None = None
    merged: bytes | None = None

    def current(self, job: Job) -> bytes:
        """What the file holds now: kept, from its image, or from the file if that is damaged."""
        if self.edited is not None:
            return self.edited
        try:
            return job.checkpoints.image(self.digest)
        except Fault:
            now = job.disk.read(self.part.path)
            if now.digest != self.digest:
                raise
            return now.data

    def image(self, checkpoints: CheckpointStore) -> bytes:
        """What it becomes."""
        return self.merged if self.merged is not None else self.part.image(checkpoints)


def restore(job: Job, undoing: Undoing) -> list[Restored]:
    """What each file becomes. Nothing is written.

    Raises ``Refused``: with its own code for files that cannot be read, and as
    ``rollback_conflict`` with every path and place that is in the way.
    """
    out: list[Restored] = []
    unreadable: list[Refused] = []
    conflicts: dict[str, str] = {}
    for group in _groups(job, undoing):
        try:
            found = [(part, job.disk.read(part.path)) for part in group]
        except Refused as error:
            unreadable.append(error)
            continue
        try:
            out += _restored(job, undoing, found)
        except Refused as error:
            if error.code == "document_below_floor":
                raise
            places = {located(part.path, error.line): part.path for part in group}
            path = places.get(error.place, group[0].path)
            error.in_file(path)
            conflicts[path] = (f"line {error.line}: " if error.line else "") + error.message
    if unreadable:
        raise _unreadable(unreadable)
    if conflicts:
        raise _conflict(conflicts, job.edits_fix)
    return out


def _unreadable(errors: Sequence[Refused]) -> Refused:
    first = errors[0]
    others = "".join(f"; {e.place}: {e.message}" for e in errors[1:])
    return Refused(
        first.code,
        f"{first.message}{others}",
        place=first.place,
        fix="put the file back, then roll back again"
        if first.code == "document_missing"
        else first.fix,
    )


def _conflict(places: Mapping[str, str], fix: str) -> Refused:
    listed = ", ".join(f"{place} ({message})" for place, message in places.items())
    refused = Refused(
        "rollback_conflict",
        f"{counted(len(places), 'file')} changed after the migration: {listed}",
        place=next(iter(places)),
        fix=fix,
    )
    refused.documents = tuple(places)
    return refused


def _groups(job: Job, undoing: Undoing) -> list[list[Part]]:
    """The parts in groups; joint migrations tie the parts of one group together."""
    if job.bundle is None:
        return [[part] for part in undoing.parts]
    by_path = {p.path: p for p in undoing.parts}
    groups = _bound(job.bundle, (*undoing.parts, *undoing.companions))
    found = [[by_path[path] for path in group if path in by_path] for group in groups]
    return [group for group in found if group]


def _bound(bundle: Bundle, parts: Sequence[Part]) -> list[tuple[str, ...]]:
    """The paths of parts in groups; joint migrations tie those of one group together."""
    known = bundle.manifest.by_id
    steps = {p.path: [known[m] for m in p.steps if m in known] for p in parts}
    return list(dict.fromkeys(tied_groups(steps).values()))


def _as_is(part: Part, now: Snapshot, how: str, merged: bytes | None = None) -> Restored:
    """A file, with its bytes only if they are not stored as an image."""
    edited = now.data if now.digest != part.left or how == "discarded" else None
    return Restored(part, now.digest, now.metadata, now.mounted, how, edited, merged)


def _restored(job: Job, undoing: Undoing, group: list[tuple[Part, Snapshot]]) -> list[Restored]:
    """The files of one group."""
    for part, _ in group:
        part.image(job.checkpoints)  # the images are verified before anything is begun
    same = [s.digest == p.left for p, s in group]
    if all(same) and all(part.exact for part, _ in group):
        return [_as_is(p, s, "restored") for p, s in group]
    if job.discard:
        hows = ["restored" if unchanged else "discarded" for unchanged in same]
        return [_as_is(p, s, how) for (p, s), how in zip(group, hows, strict=True)]
    ids = {m for part, _ in group for m in part.steps}
    if not ids:
        raise Refused(
            "rollback_conflict",
            "edited since",
            fix="`confmig retry ID` migrates the edited file again",
        )
    bundle = bundle_of(job)
    for part, _ in group:
        if part.after < bundle.manifest.floor(part.config):
            message, fix = below_floor(part.after, bundle.manifest.floor(part.config))
            raise Refused(
                "document_below_floor",
                f"it was edited since, and {message}",
                place=part.path,
                fix=fix,
            )
    same_migrations(bundle, [m for m in undoing.migrations if m.id in ids])
    steps = [m.id for m in bundle.manifest.migrations if m.id in ids]
    paths = {part.path for part, _ in group}
    all_ = (*undoing.parts, *undoing.companions)
    mine = next(g for g in _bound(bundle, all_) if paths & set(g))
    companions = {c.config: c.image(job.checkpoints) for c in undoing.companions if c.path in mine}
    found = {part.path: (part, snapshot) for part, snapshot in group}
    merged = bundle.merge(
        [
            MergePart(p.path, p.config, p.image(job.checkpoints), p.left, s.data, p.after)
            for p, s in group
        ],
        companions,
        steps,
        job.store.install_key,
        # what one transaction left is recorded; what several left together is not
        exact=len(undoing.reverses) == 1,
    )
    return [
        _as_is(*found[one.path], "restored")
        if one.exact
        else _as_is(*found[one.path], "merged", one.data)
        for one in merged
    ]
