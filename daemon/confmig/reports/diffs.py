"""Diffs of files, with secrets masked."""

from __future__ import annotations

from collections.abc import Sequence

from confmig.adapters.workers.protocol import Bundle
from confmig.adapters.workers.records import Versions


def masked_diffs(bundle: Bundle | None, files: Sequence[tuple[str, str, bytes, bytes]]) -> str:
    """The diffs of files (path, configuration, before, after), with secrets masked.

    Without the bundle nothing says which values are secret: the result is empty.
    """
    if bundle is None:
        return ""
    versions = [Versions(path, config, (before, after)) for path, config, before, after in files]
    return "".join(diff for diffs in bundle.report(versions) for diff in diffs)
