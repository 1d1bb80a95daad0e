"""Standard output and standard error that never stop the work of a command.

A reader that closes its pipe (``| head``) has seen enough: the rest is dropped, and the exit
code is that of the work. What cannot be written otherwise (a full disk) is remembered: the command
goes on and reports it at its end.
"""

from __future__ import annotations

import io
import os
import shutil
import sys

from confmig.errors import FAILED, LATE_FAILURE

_changed = False


def changed() -> None:
    """Something was committed or written: output that fails from now on is a late failure."""
    global _changed
    _changed = True


class _Guarded(io.RawIOBase):
    """A descriptor whose errors are remembered, not raised."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self.error is None:
            try:
                return os.write(self._fd, data)
            except OSError as error:
                self.error = error
        return len(data)


def guard() -> None:
    """Guard both streams, if they are those of the process."""
    for number, name in enumerate(("stdout", "stderr"), 1):
        stream = getattr(sys, name)
        if stream is None:  # it was closed when the process began; see ``__main__``
            stream = open(number, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        try:
            fd = stream.fileno()
            stream.flush()
        except (OSError, ValueError):
            continue
        raw = _Guarded(fd)
        # a name that the terminal cannot show is not a bug
        guarded = io.TextIOWrapper(
            io.BufferedWriter(raw),  # type: ignore[type-var]
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=name == "stderr" or raw.isatty(),
            write_through=name == "stderr",
        )
        setattr(sys, name, guarded)


def width() -> int | None:
    """The columns of the terminal; None if standard output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def highlighted(text: str) -> str:
    """A word of standard error, highlighted on a terminal; https://no-color.org is respected."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty():
        return text
    return f"\x1b[1;31m{text}\x1b[0m"


def finish(code: int) -> int:
    """Write what is left; ``code`` is the exit code of the work, the result that of the command."""
    stdout = sys.stdout
    if stdout is None:
        return code
    stdout.flush()
    raw = getattr(getattr(stdout, "buffer", None), "raw", None)
    error = raw.error if isinstance(raw, _Guarded) else None
    if error is None or isinstance(error, BrokenPipeError):
        return code
    print(f"confmig: the output could not be written: {error.strerror}", file=sys.stderr)
    return LATE_FAILURE if _changed else FAILED
