"""Joint migrations, which change documents of several configurations as one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confmig.core.bundle.manifest import Config, Migration
from confmig.core.planning.facts import Observation


def tied_groups(steps: Mapping[str, Sequence[Migration]]) -> dict[str, tuple[str, ...]]:
    """The paths that must change in one transaction with each path, itself included.

    ``steps`` are the migrations of each path. A joint migration ties its documents together, and
    groups that have a document in common are one.
    """
    groups: dict[str, tuple[str, ...]] = {path: (path,) for path in steps}
    for migration in dict.fromkeys(m for own in steps.values() for m in own if m.joint):
        tied = [p for p, own in steps.items() if migration in own]
        merged = tuple(dict.fromkeys(q for p in tied for q in groups[p]))
        groups |= dict.fromkeys(merged, merged)
    return groups


def misfit(migration: Migration, seen: Observation) -> str | None:
    """Why a joint migration cannot run on these documents, as a reason code; else None.

    Each configuration must have exactly one document (``config_ambiguous``), all must be healthy
    (``document_failed``), and they must take the step together (``documents_out_of_step``).
    """
    if not migration.joint:
        return None
    mine = [d for d in seen.facts if d.config in migration.sets]
    if sorted(d.config for d in mine) != sorted(migration.sets):
        return "config_ambiguous"
    if any(not d.healthy for d in mine):
        return "document_failed"
    return "documents_out_of_step" if len({d.has(migration) for d in mine}) > 1 else None


def misfit_detail(migration: Migration, seen: Observation, configs: Mapping[str, Config]) -> str:
    """How many files there are for the first configuration that does not have exactly one.

    A clause for people; empty if each has one.
    """
    for name in migration.sets:
        number = sum(d.config == name for d in seen.facts)
        if number != 1:
            patterns = " or ".join(configs[name].files)
            found = f"{number} files match" if number else "no file matches"
            return f"{migration.id} needs exactly one `{name}` file, but {found} {patterns}"
    return ""
