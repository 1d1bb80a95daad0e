"""Whether checkpoints and images are as the state recorded them."""

from __future__ import annotations

from dataclasses import dataclass

from confmig.adapters.state.checkpoints import Checkpoints, Described
from confmig.adapters.state.records import TransactionPlan
from confmig.adapters.state.store import Store
from confmig.errors import ConfmigError
from confmig.writer import counted


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked, and what is not as it was recorded, a sentence each."""

    checkpoints: int
    images: int
    problems: tuple[str, ...]


def verify(store: Store, checkpoints: Checkpoints) -> Checked:
    """Read every checkpoint that was not pruned, and every image it needs; one after the other."""
    problems: list[str] = []
    count = 0
    good: set[str] = set()
    bad: set[str] = set()
    for row in store.transactions.newest():
        if not checkpoints.exists(row.plan.checkpoint):
            continue
        count += 1
        problems += _differences(store, checkpoints, row.plan)
        for digest in store.transactions.image_hashes(row.id):
            if digest in good or digest in bad:
                continue
            try:
                checkpoints.image(digest)
                good.add(digest)
            except ConfmigError as error:
                bad.add(digest)
                problems.append(error.message)
    return Checked(count, len(good) + len(bad), tuple(problems))


def _differences(store: Store, checkpoints: Checkpoints, plan: TransactionPlan) -> list[str]:
    """What a checkpoint says that the state does not."""
    about = f"the checkpoint of {plan.id}"
    try:
        described = checkpoints.described(plan.checkpoint)
        recorded = (Described.of(file) for file in store.transactions.files(plan))
        count = 0
        # stops at the shorter one without reading a further line
        for known, said in zip(recorded, described, strict=False):
            count += 1
            if said != known:
                return [f"{about} does not describe {known.path} as it was recorded"]
        if count != plan.documents or next(described, None) is not None:
            return [f"{about} does not list what was recorded ({counted(plan.documents, 'file')})"]
    except ConfmigError as error:
        return [f"{about}: {error.message}"]
    return []
