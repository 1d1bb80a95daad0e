"""Four ways to end a conflict: as the files agree, all new, all old, or as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from confmig.adapters.state.documents import Recorded
from confmig.adapters.state.records import Transaction, TransactionPlan
from confmig.core.transaction.phases import Image, Phase, agreed_phase
from confmig.transactions.exchange import Exchange
from confmig.transactions.runner import Conflict, Records, Transactor, listed


class Conflicts:
    """Ends conflicts of the target of a ``Transactor``. The caller holds the locks."""

    def __init__(self, runner: Transactor) -> None:
        self._runner = runner

    def settle(self, row: Transaction, records: Records) -> Phase:
        """End a conflict whose files are all old, or all new, by now.

        Raises ``Conflict`` (``files_mixed``) if they are not.
        """
        plan = row.plan
        exchange = self._exchange_with_edits_back(plan)
        phase = agreed_phase(image for _, image in self._runner.images(plan, exchange))
        if phase is None:
            raise self._mixed(row, "the files are neither all old nor all new")
        if phase is Phase.COMMITTED:
            exchange.finish()  # all files are new already: this only makes them durable
            self._runner.commit(plan, records)
            self._runner.clean_up(plan, exchange)
        else:
            exchange.put_back()
            self._abort(plan, exchange)
        return phase

    def resume(self, row: Transaction, records: Records) -> Phase:
        """End as new: give the files that are old their new image, and commit.

        An edit of a new image stays. Raises ``Conflict`` (``files_mixed``) if an old image
        was edited.
        """
        plan = row.plan
        exchange = self._exchange_with_edits_back(plan)
        held = self.held(row)
        if Image.EDITED_OLD in held.values():
            raise self._mixed(row, "a file that is old still was edited")
        files = self._runner.store.transactions.files(plan)
        if any(f.mounted and held[f.path] is Image.EDITED_NEW for f in files):
            raise self._mixed(
                row, "a mounted file was edited, and nothing tells which version the edit is of"
            )
        exchange.finish()
        self._runner.commit(plan, records)
        self._runner.clean_up(plan, exchange)
        return Phase.COMMITTED

    def restore(self, row: Transaction) -> Phase:
        """End as old: give the files that are new their old image back.

        An edit of an old image stays. Raises ``Conflict`` (``files_mixed``) if a new image
        was edited.
        """
        plan = row.plan
        exchange = self._exchange_with_edits_back(plan)
        if Image.EDITED_NEW in self.held(row).values():
            raise self._mixed(row, "a file that is new already was edited")
        exchange.put_back()
        if set(self.held(row).values()) & {Image.NEW, Image.TORN, Image.EDITED_NEW}:
            raise self._mixed(row, "a file was edited while the others were put back")
        self._abort(plan, exchange)
        return Phase.ABORTED

    def accept(self, row: Transaction, versions: Mapping[str, tuple[int, str]]) -> Phase:
        """End a conflict and leave the files as they are.

        ``versions`` has the version and hash of each file that can be read: they are recorded.
        The transaction is ABORTED, because not all of its files have the new version.
        """
        plan = row.plan

        def record() -> None:
            for file in self._runner.store.transactions.files(plan):
                if file.path in versions:
                    now_there = Recorded(*versions[file.path], plan.id)
                    documents = self._runner.store.documents
                    documents.record(plan.target, file.config, file.path, now_there)

        self._abort(plan, self._exchange_with_edits_back(plan), record)
        return Phase.ABORTED

    def held(self, row: Transaction) -> dict[str, Image]:
        """What each file of a conflict holds now, by path.

        Whether an edit was made on the old or on the new image was recorded when the conflict
        arose: the temporary that shows it may have been removed since.
        """
        plan = row.plan
        exchange = self._runner.exchange_for(plan, crashed=True)
        out = {}
        for file in self._runner.store.transactions.files(plan):
            image = exchange.image(file)
            if image in (Image.EDITED_OLD, Image.EDITED_NEW):
                recorded = self._runner.store.transactions.found_of(plan.id, file.path)
                if recorded is not None:
                    was_new = recorded in (Image.NEW, Image.EDITED_NEW)
                    # the temporary may show it now; a mounted file has none
                    shown_new = image is Image.EDITED_NEW and not file.mounted
                    image = Image.EDITED_NEW if was_new or shown_new else Image.EDITED_OLD
            out[file.path] = image
        return out

    def prepare_for_another(self, row: Transaction) -> Transaction:
        """Prepare a conflict for a transaction that ends it (a rollback); returns its new row.

        What an interrupted ``resolve`` left is put back or kept, and what each file holds is
        recorded.
        """
        plan = row.plan
        exchange = self._exchange_with_edits_back(plan)
        held = self.held(row)
        exchange.remove()
        with self._runner.store.commit():
            self._runner.store.transactions.note_found(plan.id, held.items())
        found = self._runner.store.transactions.get(plan.id)
        assert found is not None
        return found

    def _exchange_with_edits_back(self, plan: TransactionPlan) -> Exchange:
        """The exchange of a conflict's files, with the edits of an interrupted one put back."""
        exchange = self._runner.exchange_for(plan, crashed=True)
        exchange.return_edits()
        return exchange

    def _mixed(self, row: Transaction, why: str) -> Conflict:
        held = {path: image.value for path, image in self.held(row).items()}
        return Conflict(
            "files_mixed",
            f"{why}: {listed(held)}",
            fix=f"`confmig resolve {row.id} --dry-run` shows what each option does; old and new "
            f"contents are listed in {row.plan.checkpoint}",
        )

    def _abort(
        self, plan: TransactionPlan, exchange: Exchange, record: Callable[[], None] = lambda: None
    ) -> None:
        """End a conflict without effect, but for what ``record`` writes."""
        exchange.remove()
        now = self._runner.clock()
        with self._runner.store.commit():
            record()
            self._runner.store.transactions.move(plan.id, Phase.ABORTED, now=now)
