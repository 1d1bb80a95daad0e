"""The kinds of transactions, and what each of them records.

A kind gives the runner its events and what its one commit writes; everything else is the same for
all of them. Recovery finds the kind of an interrupted transaction here, by its recorded name.
"""

from __future__ import annotations

from confmig.adapters.state.records import Transaction
from confmig.transactions import migrate
from confmig.transactions.runner import Records


def records_of(row: Transaction) -> Records:
    """What a recorded transaction records."""
    if row.kind == "rollback":
        from confmig.transactions.rollback import kind  # most passes recover none

        return kind.RECORDS
    return migrate.RECORDS
