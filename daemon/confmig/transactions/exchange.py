"""How the files of a transaction get their new images: the Protocol of its kinds.

``file_exchange`` changes each file by itself, ``directory_exchange`` all files of a directory at
once. A third kind can be one rename of a link (``..data`` of a volume): whatever is between old and
new, ``image`` says what a file holds, and everything else follows from that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from confmig.adapters.state.records import FilePlan
from confmig.core.transaction.phases import Image
from confmig.errors import Refused


class Drifted(Refused):
    """A target was changed by another process between plan and commit; that edit is kept."""


Rescue = Callable[[str, str, bytes], None]
"""Keeps bytes of another process durably, with an event: the path they were for, a name, the
bytes."""


class Exchange(Protocol):
    """Changes the files of one plan, and changes them back."""

    def ready(self) -> None:
        """Raise every obstacle that can be known before anything is begun."""

    def stage(self) -> None:
        """Make the new images, durably, where no reader looks."""

    def exchange(self) -> None:
        """Put them in place, durably; raises ``Drifted`` if a file is not what was read."""

    def return_edits(self) -> None:
        """Put back an edit that a crash left between an exchange and the look at what came out.

        If that was another process's edit, it goes back to its place before anything else
        is decided.
        """

    def image(self, file: FilePlan) -> Image:
        """What a file holds."""

    def finish(self) -> None:
        """Give the files that are old their new image, durably; as ``exchange``."""

    def put_back(self) -> None:
        """Give the files that are new their old image, durably.

        Another process's edit of our image is left alone.
        """

    def remove(self, *, staging: bool = False) -> None:
        """Remove what is ours, durably, after a wait for late writers, whose bytes are kept.

        ``staging``: no target was touched, so that what is half-written is ours, too.
        """
