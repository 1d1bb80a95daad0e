"""Looking at targets without changing anything: for plan, status and dry-run.

The state is opened read-only, beside a daemon if need be.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from confmig.adapters import bundle as bundles
from confmig.adapters.disk import Disk
from confmig.adapters.store import Store
from confmig.errors import ConfmigError
from confmig.reconcile import View, load_policy, view
from confmig.settings import Settings


def views(settings: Settings, target: str | None, now: datetime) -> Iterator[View | ConfmigError]:
    """A view of every target (or the named one), or the error that stands in its way."""
    targets = [settings.target(target)] if target else settings.targets
    store = Store.read_only(settings.state_dir)
    try:
        for one in targets:
            try:
                bundle = bundles.load(one.bundle, settings.limits.caps())
                with Disk(str(one.root), size_cap=settings.limits.size) as disk:
                    yield view(one, bundle, load_policy(one), disk, store, now)
            except ConfmigError as error:
                yield error
    finally:
        if store is not None:
            store.close()
