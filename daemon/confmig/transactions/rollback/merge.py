"""What each file becomes in a rollback: the old bytes, or the old bytes with the later edits in
them (``documents.rebase``). Files that were migrated as one are taken back as one. Nothing is
written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from confmig.adapters.bundles.bundle import Bundle, Transformed
from confmig.adapters.files.disk import Snapshot, digest_of
from confmig.core.bundle.manifest import Config
from confmig.core.planning.segments import below_floor, bound
from confmig.documents.model.document import Document
from confmig.documents.model.tree import plain, same_value
from confmig.documents.rebase.documents import rebase
from confmig.documents.rebase.values import Forwarded
from confmig.documents.text.pieces import Segment
from confmig.errors import Refused
from confmig.transactions.rollback.selection import Job, Part, Undoing, bundle_of, same_migrations


@dataclass(frozen=True, slots=True)
class Restored:
    """One file as it will be: ``how`` is ``restored`` (to the byte), ``merged`` (with later
    edits) or ``discarded`` (later edits go to ``rescue/``)."""

    part: Part
    snapshot: Snapshot
    data: bytes
    how: str


def restore(job: Job, undoing: Undoing) -> list[Restored]:
    """What each file becomes. Nothing is written.

    Raises ``Refused``: with its own code for files that cannot be read, and as
    ``rollback_conflict`` with every path and place that stands in the way.
    """
    found = _read(job, undoing.parts)
    out: list[Restored] = []
    conflicts: list[str] = []
    for group in _groups(job, undoing):
        try:
            out += _restored(job, undoing, [(part, found[part.path]) for part in group])
        except Refused as error:
            if error.code == "document_below_floor":
                raise
            conflicts.append(f"{error.place or group[0].path} ({error.message})")
    if conflicts:
        raise Refused(
            "rollback_conflict",
            f"{len(conflicts)} file(s) changed after the migration: {', '.join(conflicts)}",
            place=conflicts[0].split(" (")[0],
            fix="put the edits aside and roll back again, or say --discard-later-edits: today's "
            "files are kept in the state directory's rescue/ then",
        )
    return out


def _read(job: Job, parts: Sequence[Part]) -> dict[str, Snapshot]:
    """What the files hold now, by path."""
    found = {}
    refusals = []
    for part in parts:
        try:
            found[part.path] = job.disk.read(part.path)
        except Refused as error:
            refusals.append(error)
    if refusals:
        first = refusals[0]
        others = "".join(f"; {e.place}: {e.message}" for e in refusals[1:])
        raise Refused(
            first.code,
            f"{first.message}{others}",
            place=first.place,
            fix=first.fix or "put the file back, then roll back again",
        )
    return found


def _groups(job: Job, undoing: Undoing) -> list[list[Part]]:
    """The parts, those together that a migration of several configurations bound."""
    if job.bundle is None:
        return [[part] for part in undoing.parts]
    by_path = {p.path: p for p in undoing.parts}
    groups = _bound(job.bundle, (*undoing.parts, *undoing.companions))
    found = [[by_path[path] for path in group if path in by_path] for group in groups]
    return [group for group in found if group]


def _bound(bundle: Bundle, parts: Sequence[Part]) -> list[tuple[str, ...]]:
    """The paths of parts, those together that a migration of several configurations binds."""
    known = bundle.manifest.by_id
    steps = {p.path: [known[m] for m in p.steps if m in known] for p in parts}
    return list(dict.fromkeys(bound(steps).values()))


def _restored(job: Job, undoing: Undoing, group: list[tuple[Part, Snapshot]]) -> list[Restored]:
    """The files of one group."""
    same = [s.digest == p.left for p, s in group]
    if all(same) and all(part.exact for part, _ in group):
        return [Restored(p, s, p.old, "restored") for p, s in group]
    if job.discard:
        hows = ["restored" if unchanged else "discarded" for unchanged in same]
        return [Restored(p, s, p.old, how) for (p, s), how in zip(group, hows, strict=True)]
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
    same_migrations(bundle, [m for m in undoing.migrations if m["id"] in ids])
    steps = [m.id for m in bundle.manifest.migrations if m.id in ids]
    paths = {part.path for part, _ in group}
    all_ = (*undoing.parts, *undoing.companions)
    mine = next(g for g in _bound(bundle, all_) if paths & set(g))
    companions = [c for c in undoing.companions if c.path in mine]
    whole = len(undoing.reverses) == 1
    return _Merge(job, bundle, steps, group, companions).results(whole=whole)


class _Merge:
    """The old files of a group with the later edits in them."""

    def __init__(
        self,
        job: Job,
        bundle: Bundle,
        steps: list[str],
        group: list[tuple[Part, Snapshot]],
        companions: Sequence[Part],
    ) -> None:
        self.bundle = bundle
        self.steps = steps
        self.group = group
        self.key = job.store.install_key
        self.placed = {part.config: part.old for part in (*companions, *(p for p, _ in group))}

    def results(self, *, whole: bool) -> list[Restored]:
        """Each file. ``whole``: what the steps leave of the old files is recorded, and must come
        out again."""
        out = []
        again = self._forward({})
        for part, snapshot in self.group:
            rendered = again[part.config].rendered
            left = rendered.data if rendered is not None else part.old
            if left == snapshot.data:
                out.append(Restored(part, snapshot, part.old, "restored"))
                continue
            if whole and digest_of(left) != part.left:
                raise Refused(
                    "chain_differs",
                    "its migrations do not give again what they left then",
                    place=part.path,
                )
            segments = rendered.segments if rendered is not None else ()
            try:
                data = self._rebased(part, left, snapshot.data, segments)
            except Refused as error:
                error.place = part.path
                raise
            self.placed[part.config] = data
            out.append(Restored(part, snapshot, data, "merged"))
        if len(self.group) > 1:
            self._check()
        return out

    def _rebased(self, part: Part, left: bytes, today: bytes, segments: Sequence[Segment]) -> bytes:
        config = self.bundle.manifest.configs[part.config]

        def parse(data: bytes) -> Document:
            return self.bundle.parse(config, data)

        def forward(data: bytes) -> Forwarded:
            result = self._forward({part.config: data})[part.config]
            rendered = result.rendered.data if result.rendered is not None else data
            return Forwarded(result.document, parse(rendered))

        data = rebase(part.old, left, today, segments, parse, forward)
        _fits(self.bundle, config, part, data)
        return data

    def _forward(self, instead: dict[str, bytes]) -> dict[str, Transformed]:
        return self.bundle.transform_together(self.placed | instead, self.steps, self.key)

    def _check(self) -> None:
        """Each file was tried with the others as they were then: try them as they will be."""
        again = self._forward({})
        for part, snapshot in self.group:
            config = self.bundle.manifest.configs[part.config]
            rendered = again[part.config].rendered
            data = rendered.data if rendered is not None else self.placed[part.config]
            have, want = (self.bundle.parse(config, d).root for d in (data, snapshot.data))
            if not same_value(plain(have), plain(want)):
                raise Refused(
                    "rollback_conflict",
                    "edits of several files that were migrated as one hang together",
                    place=part.path,
                )


def _fits(bundle: Bundle, config: Config, part: Part, data: bytes) -> None:
    """Raises ``Refused`` if the result breaks the old schema where the old file did not."""
    found = [
        {(e.place, e.what) for e in bundle.schemas.errors(config.name, part.after, document) or ()}
        for document in (bundle.parse(config, data), bundle.parse(config, part.old))
    ]
    new = sorted(what for _, what in found[0] - found[1])
    if new:
        raise Refused(
            "rollback_conflict",
            f"with the later edits it does not fit the schema of version {part.after}: "
            + ", ".join(new[:5]),
        )
