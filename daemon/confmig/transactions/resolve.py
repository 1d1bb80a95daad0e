"""The choices of a partial failure, each with its outcome for every file.

A transaction that was interrupted between two exchanges, and whose files were edited before
recovery, left some files new and some old. Later edits are placed as in a rollback: an edit of a
new file goes into the old text, an edit of an old file is migrated.

``restore``           every file is old; edits of new files are placed in the old text
``resume``            every file is new; edits of new files stay, files that were edited while they
                      were old are migrated with their edits (all files are restored first, then
                      migrated again)
``verify_and_clear``  nothing is written; all files must be old already, or all new
``accept_changed``    every file stays as it is; refused if a value would be in no file
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from confmig.adapters.state.records import FilePlan, Transaction
from confmig.adapters.workers.protocol import Bundle
from confmig.adapters.workers.records import HalfDone
from confmig.core.planning.joint import tied_groups
from confmig.core.planning.segments import Segment
from confmig.core.transaction.phases import Image, Phase, agreed_phase
from confmig.errors import ConfmigError, Refused
from confmig.transactions import migrate as forward
from confmig.transactions.conflicts import Conflicts
from confmig.transactions.kinds import records_of
from confmig.transactions.rollback import kind as backward
from confmig.transactions.rollback import selection
from confmig.transactions.rollback.merge import restore
from confmig.transactions.runner import Transactor
from confmig.writer import counted

_EDITS_FIX = (
    "put the edit aside and run this again, choose another option (--dry-run shows them), or add "
    "--discard --reason TEXT: today's files are kept in rescue/ then"
)
"""What ``resolve`` takes where later edits have no place in the old text."""

MODES = ("restore", "resume", "verify_and_clear", "accept_changed")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one choice makes of the files: path -> bytes, only those that change.

    ``refused`` says why it is not possible; ``lost`` are the places of values that would be in
    no file.
    """

    files: dict[str, bytes]
    refused: ConfmigError | None = None
    lost: tuple[str, ...] = ()


class Resolution:
    """One conflict of a target, and what can be done about it. The target is open and locked.

    ``job.discard``: later edits that are in the way are kept in ``rescue/`` and replaced, and
    values that would be lost are given up. ``versions``: the version and the hash of each document
    that can be read now, by path.
    """

    def __init__(
        self,
        job: selection.Job,
        row: Transaction,
        versions: Callable[[Bundle], Mapping[str, tuple[int, str]]],
    ) -> None:
        self._job = replace(job, edits_fix=_EDITS_FIX)
        self._row = row
        self._plan = row.plan
        self._files = job.store.transactions.files(row.plan)
        self._versions = versions
        self._transactor = Transactor(
            job.store, job.checkpoints, job.disk, job.clock, beat=job.beat
        )
        self._conflicts = Conflicts(self._transactor)
        self._held = self._conflicts.held(row)

    # --- looking

    def outcome(self, mode: str) -> Outcome:
        """What a choice would do. Nothing is written."""
        look: dict[str, Callable[[], Outcome]] = {
            "restore": lambda: Outcome(self._restored()),
            "resume": self._resumed,
            "verify_and_clear": self._cleared,
            "accept_changed": lambda: Outcome({}, lost=self.lost()),
        }
        try:
            return look[mode]()
        except ConfmigError as error:
            return Outcome({}, refused=error)

    def lost(self) -> tuple[str, ...]:
        """The places of values that would be in no file if the files stayed as they are."""
        files = [
            HalfDone(
                file.path,
                file.config,
                number,
                self._image(file.old),
                self._image(file.new),
                self._today(file),
                self._is_new(file),
                file.migrations,
            )
            for number, group in enumerate(self._groups())
            for file in group
        ]
        return self._known_bundle().lost(files)

    def _restored(self) -> dict[str, bytes]:
        """The files that are new, as they become old again."""
        found = restore(self._job, selection.undo_one(self._job, self._row, self._held))
        return {r.part.path: r.image(self._job.checkpoints) for r in found}

    def _resumed(self) -> Outcome:
        if Image.EDITED_OLD not in self._held.values():
            mounts = [f for f in self._files if f.mounted]
            if any(self._held[f.path] is Image.EDITED_NEW for f in mounts):
                raise Refused(
                    "files_mixed",
                    "a mounted file was edited, and nothing tells which version the edit is of",
                )
            olds = (Image.OLD, Image.TORN)
            files = {f.path: f for f in self._files if self._held[f.path] in olds}
            return Outcome({path: self._image(f.new) for path, f in files.items()})
        self._segment()
        bundle = self._known_bundle()
        old = self._restored()
        out = {}
        for group in self._groups():
            sources = {f.config: old.get(f.path, self._today(f)) for f in group}
            ids = {m for f in group for m in f.migrations}
            steps = [m.id for m in bundle.manifest.migrations if m.id in ids]
            done = bundle.transform(sources, steps, self._job.store.install_key)
            for file in group:
                out[file.path] = done[file.config].image(sources[file.config])
        return Outcome(out)

    def _cleared(self) -> Outcome:
        if agreed_phase(list(self._held.values())) is None:
            raise Refused("files_mixed", "the files are neither all old nor all new")
        return Outcome({})

    # --- doing

    def restore(self) -> Phase:
        """Give every file its old text, with later edits in it."""
        if Image.EDITED_NEW not in self._held.values():
            return self._conflicts.restore(self._row)
        self._placed()
        return Phase.ABORTED

    def resume(self) -> Phase:
        """Give every file its new text."""
        if Image.EDITED_OLD not in self._held.values():
            return self._conflicts.resume(self._row, records_of(self._row))
        segment = self._segment()  # before anything is written: the bundle must have what ran
        self._placed()
        mine = self._job
        digests = {path: mine.disk.read(path).digest for path in segment.steps}
        job = forward.Job(
            mine.target,
            self._known_bundle(),
            mine.store,
            mine.checkpoints,
            mine.disk,
            mine.clock,
            mine.recorder,
            mine.actor,
            forward.new_id(mine.clock()),
            mine.beat,
        )
        done = forward.apply(job, segment, digests, (), lambda migration: False)
        if done.error is not None:
            done.error.reason += "; before that every file was restored, which ends the conflict"
            raise done.error
        return Phase.COMMITTED

    def verify_and_clear(self) -> Phase:
        """End the conflict if all files are old, or all new."""
        return self._conflicts.settle(self._row, records_of(self._row))

    def accept(self) -> Phase:
        """Leave the files as they are. Raises ``Refused`` (``values_lost``)."""
        lost = () if self._job.discard else self.lost()
        if lost:
            raise Refused(
                "values_lost",
                f"{counted(len(lost), 'value')} would be in no file: {'; '.join(lost)}",
                fix="choose another option (--dry-run shows them), or write these values into a "
                "file and ask again; to lose them, --discard --reason TEXT",
            )
        return self._conflicts.accept(self._row, self._versions(self._known_bundle()))

    def _placed(self) -> None:
        """Restore with edits, as a transaction of its own that ends the conflict."""
        self._row = self._conflicts.prepare_for_another(self._row)
        job = self._job
        undoing = selection.undo_one(job, self._row, self._held)
        restored = restore(job, undoing)
        backward.rollback(job, undoing, restored, forward.new_id(job.clock()), hold=False)

    # --- what is known

    def _known_bundle(self) -> Bundle:
        if self._job.bundle is None:
            raise Refused(
                "bundle_needed",
                "a file was edited, and without a valid bundle it cannot be read",
                fix="correct the bundle (`confmig check`), then ask again",
            )
        return self._job.bundle

    def _segment(self) -> Segment:
        """What ran, to run again over edits of old files."""
        if self._row.kind == "rollback":
            raise Refused(
                "files_mixed",
                "a file was edited before it was rolled back, and a rollback is not finished over "
                "an edit",
                fix="--restore ends the conflict; then roll back again, which keeps the edits",
            )
        bundle = self._known_bundle()
        selection.same_migrations(bundle, self._plan.details.migrations)
        steps = {f.path: tuple(bundle.manifest.by_id[m] for m in f.migrations) for f in self._files}
        configs = {f.path: f.config for f in self._files}
        return Segment(self._plan.class_, steps, configs)

    def _groups(self) -> Iterator[list[FilePlan]]:
        """The files in groups; joint migrations tie the files of one group together."""
        known = self._known_bundle().manifest.by_id
        files = {f.path: f for f in self._files}
        steps = {p: [known[m] for m in f.migrations if m in known] for p, f in files.items()}
        for group in dict.fromkeys(tied_groups(steps).values()):
            yield [files[path] for path in group]

    def _is_new(self, file: FilePlan) -> bool:
        return self._held[file.path] in (Image.NEW, Image.EDITED_NEW)

    def _image(self, digest: str) -> bytes:
        return self._job.checkpoints.image(digest)

    def _today(self, file: FilePlan) -> bytes:
        try:
            return self._job.disk.content(file.path)
        except FileNotFoundError:
            return b""


def resolve(resolution: Resolution, mode: str) -> Phase:
    """Take a choice. Raises ``ConfmigError`` with what is in the way."""
    choices: dict[str, Callable[[], Phase]] = {
        "restore": resolution.restore,
        "resume": resolution.resume,
        "verify_and_clear": resolution.verify_and_clear,
        "accept_changed": resolution.accept,
    }
    return choices[mode]()
