"""Operations for people: note (a warning in the report) and manual (an operator must decide)."""

from __future__ import annotations

from typing import Any

from confmig.documents.model.editor import Editor
from confmig.documents.model.lookup import name_of
from confmig.documents.operations.base import AnyPath, Context, Strict


class Note(Strict):
    """A warning for the report. With a ``path``, one for each place it names; else one."""

    text: str
    path: AnyPath | None = None

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Say it; nothing is changed."""
        if self.path is None:
            context.note(name_of(scope), self.text)
        else:
            for hit in document.find(self.path, scope, lenient=True):
                context.note(hit.shown, self.text)


class Manual(Strict):
    """Refuses: an operator must decide. With a ``path``, once for each place it names."""

    reason: str
    path: AnyPath | None = None

    def apply(self, document: Editor, scope: Any, context: Context) -> None:
        """Say what must be decided, and why; nothing is changed."""
        if self.path is None:
            context.decide(name_of(scope), self.reason)
            return
        for hit in document.find(self.path, scope, lenient=True):
            context.decide(hit.shown, self.reason)
