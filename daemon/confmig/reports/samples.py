"""The sample files of a bundle, seen as targets: for a dry run without a service.

Each directory with samples is one target of its own, so that files which a migration changes
together can stand side by side. There is no state and no policy.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from datetime import datetime

from confmig.adapters.files.disk import Disk
from confmig.adapters.workers.protocol import Bundle
from confmig.core.policy import model as policies
from confmig.errors import Refused
from confmig.passes.view import View, view
from confmig.settings import Target


def sample_views(bundle: Bundle, size_cap: int, now: datetime) -> Iterator[View]:
    """The view of each directory of samples.

    Raises ``Refused`` (``samples_missing``) where the bundle names none, or a pattern matches
    no file.
    """
    named = {c.name: c.samples for c in bundle.manifest.configs.values() if c.samples}
    if not named:
        raise Refused(
            "samples_missing",
            "the bundle names no sample files",
            place="manifest.json: configs",
            fix='add example files and name them: "samples": ["samples/*.yaml"]',
        )
    target = Target(name="samples", root=bundle.root, bundle=bundle.root)
    with Disk(str(bundle.root), size_cap=size_cap, options=target.exchange_options()) as disk:
        folders: dict[str, dict[str, list[str]]] = {}
        for config, patterns in named.items():
            for pattern in patterns:
                found = disk.find((pattern,))
                if not found:
                    raise Refused(
                        "samples_missing",
                        f"no file matches `{pattern}`",
                        place=f"manifest.json: configs.{config}.samples",
                        fix="add the file, or correct the pattern",
                    )
                for path in found:
                    paths = folders.setdefault(posixpath.dirname(path), {})
                    paths.setdefault(config, []).append(path)
        for folder, paths in sorted(folders.items()):
            only = bundle.with_files({name: tuple(found) for name, found in paths.items()})
            label = f"{bundle.manifest.bundle}: {folder or '.'}"
            one = target.model_copy(update={"name": label})
            yield view(one, only, policies.MISSING, disk, None, now, everything=True)
