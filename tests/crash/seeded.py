"""The engine with a bug on purpose: the state is committed before the files are exchanged.

Run as the command of the kill sweep, in place of ``python -m confmig``. If the sweep finds
nothing wrong with this one, it would not find anything wrong with any.
"""

from __future__ import annotations

import sys

from confmig.cli import run
from confmig.transact import Plan, Records, Transactor


def _state_first(self: Transactor, plan: Plan, records: Records) -> None:
    self.intend(plan, records)
    self.stage(plan)
    self.prepare(plan)
    self.commit(plan, records)
    self.exchange(plan)
    self.clean_up(plan)


if __name__ == "__main__":
    Transactor.run = _state_first  # type: ignore[method-assign]
    sys.exit(run(sys.argv[1:]))
