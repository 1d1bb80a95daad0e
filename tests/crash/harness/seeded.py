"""The engine with a bug on purpose: the state is committed before the files are exchanged.

Run as the command of the kill sweep, in place of ``python -m confmig``. If the sweep finds
nothing wrong with this one, it would not find anything wrong with any.

The first word may name another bug, of ``BUGS``; test_seeded_bugs.py has all six caught.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable

from confmig.adapters.state.records import FilePlan, Files, TransactionPlan
from confmig.cli import run
from confmig.transactions.exchange import Drifted, Exchange
from confmig.transactions.file_exchange import FileExchange
from confmig.transactions.runner import Records, Transactor
from tests.crash.harness.roots import root_of


def _state_first(self: Transactor, plan: TransactionPlan, files: Files, records: Records) -> None:
    self.intend(plan, files, records)
    swap = self.exchange_for(plan)
    swap.stage()
    self.prepare(plan)
    self.commit(plan, records)
    swap.exchange()
    self.clean_up(plan, swap)


def _no_fsync(is_such: Callable[[int], bool]) -> Callable[[], None]:
    """Nothing of one sort is made durable (SQLite's files are: it does not ask Python)."""

    def put_in() -> None:
        real = os.fsync

        def fsync(fd: int) -> None:
            if not is_such(os.fstat(fd).st_mode):
                real(fd)

        os.fsync = fsync  # type: ignore[assignment]

    return put_in


_clean_up = Transactor.clean_up


def _done_unsynced(self: Transactor, plan: TransactionPlan, swap: Exchange) -> None:
    """DONE is recorded while the temporaries may still come back."""
    assert isinstance(swap, FileExchange)
    swap._sync = lambda **_: None  # type: ignore[method-assign]
    _clean_up(self, plan, swap)


def _checked(self: FileExchange, file: FilePlan) -> None:
    if self.disk.digest(file.path) != file.old:
        raise Drifted("target_drifted", "changed while it was being migrated", place=file.path)


def _in_place(self: FileExchange, file: FilePlan) -> None:
    """The new image is written over the old one."""
    _checked(self, file)
    with open(os.path.join(root_of(self), file.path), "wb", buffering=0) as target:
        target.write(self.checkpoints.image(file.new))
        os.fsync(target.fileno())


def _plain_rename(self: FileExchange, file: FilePlan) -> None:
    """The stage is renamed over the target: nobody sees what came out."""
    _checked(self, file)
    root = root_of(self)
    os.replace(os.path.join(root, file.temporary), os.path.join(root, file.path))


def _method(kind: type, name: str, instead: Callable[..., None]) -> Callable[[], None]:
    return lambda: setattr(kind, name, instead)


BUGS: dict[str, Callable[[], None]] = {
    "no file fsync": _no_fsync(stat.S_ISREG),
    "no directory fsync": _no_fsync(stat.S_ISDIR),
    "state before exchange": _method(Transactor, "run", _state_first),
    "in-place write": _method(FileExchange, "swap_in", _in_place),
    "plain rename": _method(FileExchange, "swap_in", _plain_rename),
    "no fsync before DONE": _method(Transactor, "clean_up", _done_unsynced),
}


if __name__ == "__main__":
    BUGS[sys.argv.pop(1) if sys.argv[1] in BUGS else "state before exchange"]()
    sys.exit(run(sys.argv[1:]))
