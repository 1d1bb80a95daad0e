"""The way back of a file without state.

The result is the source text of the run that migrated it, taken from the journal of that run, with
the edits that were made since.

A file that no one edited becomes its source again, to the byte. An edited one becomes the source
with the later edits in it, or is refused; the same rules as for a rollback (``documents.rebase``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confmig.adapters.files.content import digest_of
from confmig.adapters.workers.protocol import Bundle
from confmig.adapters.workers.records import MergePart
from confmig.errors import Refused


@dataclass(frozen=True, slots=True)
class Step:
    """One migration of a journal, and the versions before and after it."""

    migration: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What a journal has of one file.

    Its configuration, its steps (the oldest first), its text before them, the hash of its text
    after them, and the files that were migrated with it.
    """

    config: str
    steps: tuple[Step, ...]
    source: bytes
    result: str
    together: tuple[str, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Entry:
        """Read an entry. Raises ``Refused`` (``journal_unreadable``) if it is damaged."""
        try:
            steps = tuple(Step(s["migration"], s["from"], s["to"]) for s in data["journal"])
            numbers = all(isinstance(n, int) for s in steps for n in (s.before, s.after))
            names = all(isinstance(s.migration, str) for s in steps)
            together = tuple(data.get("together", ()))
            if not numbers or not names or not all(isinstance(t, str) for t in together):
                raise TypeError
            source = data["source"].encode(data.get("encoding", "utf-8"))
            return cls(str(data["config"]), steps, source, str(data["result"]), together)
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise Refused(
                "journal_unreadable",
                f"the journal of this file is damaged or of an older confmig "
                f"({type(error).__name__})",
                fix="keep the output of migrate --json --show-values as it is",
            ) from None


def way_back(
    bundle: Bundle, today: bytes, version: int, to: int, entry: Entry, partners: Sequence[Entry]
) -> bytes:
    """The text of a file at an earlier version.

    ``partners`` are the entries of the files that were migrated together with it.

    Raises ``Refused``: ``journal_incomplete`` if the journal does not lead there,
    ``chain_differs`` if the bundle does not give the same result any more, and
    ``rollback_conflict`` if a later edit has no place in the earlier text.
    """
    stay = [s.migration for s in entry.steps if s.after <= to]
    gone = [s.migration for s in entry.steps if s.after > to]
    stamped = bundle.manifest.configs[entry.config].stamp is not None
    first = entry.steps[0].before if entry.steps else to
    if not gone or first > to or (stamped and entry.steps[-1].after != version):
        raise Refused(
            "journal_incomplete",
            f"the journal does not lead this file from version {version} back to {to}",
            fix="take the journal of the run that migrated it, written with --show-values",
        )
    if digest_of(today) == entry.result and not stay:
        return entry.source
    return _merged(bundle, today, entry, partners, stay, gone)


def _merged(
    bundle: Bundle,
    today: bytes,
    entry: Entry,
    partners: Sequence[Entry],
    stay: Sequence[str],
    gone: Sequence[str],
) -> bytes:
    """The text before the migrations that go, with the edits that made today's text."""
    known = [m.id for m in bundle.manifest.migrations]
    missing = [m for m in (*stay, *gone) if m not in known]
    if missing:
        raise _differs(f"it does not have {missing[0]}")
    sources = {e.config: e.source for e in (entry, *partners)}
    ids = {s.migration for e in (entry, *partners) for s in e.steps}
    others = ids - {*stay, *gone}  # of partners alone
    before = [m for m in known if m in {*stay, *others}]
    if before:
        done = bundle.transform(sources, before)
        sources = {name: done[name].image(data) for name, data in sources.items()}
    base = sources.pop(entry.config)
    part = MergePart(entry.config, entry.config, base, entry.result, today, None)
    try:
        return bundle.merge([part], sources, gone, exact=True)[0].data
    except Refused as error:
        if error.code != "chain_differs":
            error.place = ""  # the name of a configuration: the caller names the file
            raise
        raise _differs("its migrations do not give the same result as then") from None


def _differs(why: str) -> Refused:
    return Refused(
        "chain_differs",
        f"the bundle has changed since: {why}",
        fix="use the release of the bundle that migrated the file",
    )
