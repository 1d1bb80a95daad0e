"""Bugs on purpose, put into a server of `fork` before it runs anything (see `seeded`).

If `nested` or `err` finds nothing wrong with these, it would not find anything wrong with any.
Those of recovery are right as long as nothing disturbs it: only a kill inside shows them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confmig.adapters.files.disk import Disk
from confmig.adapters.state.records import Transaction, TransactionPlan
from confmig.core.transaction.phases import Image, Phase
from confmig.errors import ConfmigError
from confmig.transactions.exchange import Exchange
from confmig.transactions.runner import Records, Transactor, describe
from tests.crash.harness.roots import root_of

_recover = Transactor.recover


def _half_way(self: Transactor, plan: TransactionPlan, row: Transaction) -> bool:
    swap = self.exchange_for(plan)
    return row.phase is Phase.PREPARED and Image.NEW in [
        swap.image(f) for f in self.store.transactions.files(plan)
    ]


def _temporaries_first(self: Transactor, row: Transaction, records: Records) -> Phase:
    """The temporaries go before the targets are settled; without them, these are overwritten."""
    plan = row.plan
    if not _half_way(self, plan, row):
        return _recover(self, row, records)
    swap = self.exchange_for(plan)
    for file in self.store.transactions.files(plan):
        self.disk.unlink(file.temporary)
    for file in self.store.transactions.files(plan):
        if swap.image(file) is Image.OLD:
            with open(Path(root_of(self)) / file.path, "r+b", buffering=0) as target:
                target.truncate()
                target.write(self.checkpoints.image(file.new))
    self.commit(plan, records)
    self.clean_up(plan, swap)
    return Phase.DONE


def _state_first(self: Transactor, row: Transaction, records: Records) -> Phase:
    """What is half done is recorded as done, and then done."""
    plan = row.plan
    if not _half_way(self, plan, row):
        return _recover(self, row, records)
    self.commit(plan, records)
    swap = self.exchange_for(plan)
    swap.finish()
    self.clean_up(plan, swap)
    return Phase.DONE


def _settled_first(self: Transactor, row: Transaction, records: Records) -> Phase:
    """An aborted staging is recorded as settled before its temporaries are gone."""
    plan = row.plan
    if row.phase is not Phase.STAGING:
        return _recover(self, row, records)
    with self.store.commit():
        self.store.transactions.move(plan.id, Phase.ABORTED, now=self.clock())
    self.exchange_for(plan).remove(staging=True)
    return Phase.ABORTED


def _renamed_twice(disk: Disk, a: str, b: str) -> None:
    """An exchange of three steps."""
    one, other = os.path.join(disk.root, a), os.path.join(disk.root, b)
    os.rename(other, f"{one}-away")
    os.rename(one, other)
    os.rename(f"{one}-away", one)


def _not_undone(
    self: Transactor, plan: TransactionPlan, swap: Exchange, records: Records, error: ConfmigError
) -> Phase:
    """An undo that forgets the targets."""
    for file in self.store.transactions.files(plan):
        self.disk.unlink(file.temporary)
    with self.store.commit():
        self.store.transactions.move(
            plan.id, Phase.ABORTED, now=self.clock(), error=describe(error)
        )
    return Phase.ABORTED


def _method(name: str, instead: Callable[..., Any]) -> Callable[[], None]:
    return lambda: setattr(Transactor, name, instead)


def _ignore_errors() -> None:
    """A failed fsync or unlink is as good as one that worked, and DONE is recorded."""
    for name in ("fsync", "unlink"):
        setattr(os, name, _deaf(getattr(os, name)))


def _deaf(call: Callable[..., None]) -> Callable[..., None]:
    def deaf(*args: Any, **kwargs: Any) -> None:
        try:
            call(*args, **kwargs)
        except FileNotFoundError:
            raise
        except OSError:
            return

    return deaf


def _sync_again() -> None:
    """An fsync that failed is tried once more."""
    real = os.fsync

    def again(fd: int) -> None:
        try:
            real(fd)
        except OSError:
            real(fd)

    os.fsync = again  # type: ignore[assignment]


SEEDS: dict[str, Callable[[], None]] = {
    "temporaries first": _method("recover", _temporaries_first),
    "state first": _method("recover", _state_first),
    "settled first": _method("recover", _settled_first),
    "not undone": _method("undo", _not_undone),
    "errors ignored": _ignore_errors,
    "sync again": _sync_again,
    "renamed twice": lambda: setattr(Disk, "exchange", _renamed_twice),
}
