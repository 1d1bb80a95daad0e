"""What hostile content costs: each bomb is parsed in a process of its own.

Prints the code it was refused with (or that it was read), CPU seconds and the peak memory above
that of an idle process. ``make bench`` runs it after the documents.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable

from confmig.documents import formats
from confmig.errors import Refused
from confmig.worker import regex

_ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
DEEP = 100_000


def bombs() -> dict[str, tuple[str, Callable[[], bytes]]]:
    """Name -> format and how to make it."""
    return {
        "alias bomb": ("yaml", lambda: _ALIASES.encode()),
        "depth 100,000 (flow)": ("yaml", lambda: b"[" * DEEP),
        "depth 100,000 (block)": ("yaml", lambda: b"- " * DEEP),
        "10 MiB": ("yaml", lambda: b"a: " + b"x" * (10 << 20)),
        "50 MB scalar": ("yaml", lambda: b"a: '" + b"x" * 50_000_000 + b"'"),
        "200,000 keys": ("yaml", lambda: "".join(f"k{n}: {n}\n" for n in range(200_000)).encode()),
        "duplicate keys": ("yaml", lambda: b"a: 1\na: 2\n"),
        "5,000 digits": ("yaml", lambda: b"a: " + b"9" * 5000),
        "1,200,000 items": ("yaml", lambda: b"[" + b"1," * 1_200_000 + b"]"),
        "depth 100,000 (json)": ("json", lambda: b"[" * DEEP),
        "200,000 keys (json)": (
            "json",
            lambda: ("{" + ",".join(f'"k{n}":{n}' for n in range(200_000)) + "}").encode(),
        ),
        "NaN (json)": ("json", lambda: b'{"a": NaN}'),
        "duplicate keys (json)": ("json", lambda: b'{"a": 1, "a": 2}'),
        "100,000 digits (json)": ("json", lambda: b'{"a": ' + b"9" * 100_000 + b"}"),
        "50 MB string (json)": ("json", lambda: b'{"a": "' + b"x" * 50_000_000 + b'"}'),
        "dotted-key bomb (toml)": ("toml", lambda: ".".join(["a"] * DEEP).encode() + b" = 1\n"),
        "depth 100,000 (toml)": ("toml", lambda: b"a = " + b"[" * DEEP),
        "200,000 keys (toml)": (
            "toml",
            lambda: "".join(f"k{n} = {n}\n" for n in range(200_000)).encode(),
        ),
        "duplicate keys (toml)": ("toml", lambda: b"a = 1\na = 2\n"),
    }


def _in_child(work: Callable[[], str]) -> tuple[str, float, float]:
    """The outcome, CPU seconds and MiB of a piece of work in a forked child."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        begin = time.process_time()
        outcome = work()
        taken = time.process_time() - begin
        os.write(writer, f"{outcome}\0{taken}".encode())
        os._exit(0)
    os.close(writer)
    answer = os.read(reader, 1 << 16).decode()
    os.close(reader)
    _, status, usage = os.wait4(pid, 0)
    outcome, _, taken = answer.partition("\0")
    if status:
        outcome = f"died: {status}"
    return outcome, float(taken or 0), usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    for name in ("yaml", "json", "toml"):
        formats.get(name)  # imported once, before the children
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'content':26}  {'outcome':18} {'CPU s':>7} {'MiB':>7}")
    for name, (form, make) in bombs().items():

        def work(form: str = form, make: Callable[[], bytes] = make) -> str:
            data = make()
            try:
                formats.parse(data, format=form)
            except Refused as refused:
                return refused.code
            return "read"

        outcome, taken, peak = _in_child(work)
        print(f"{name:26}  {outcome:18} {taken:7.2f} {peak - idle:7.0f}")

    def expression() -> str:
        regex.search("(a+)+$", "a" * 1_000_000 + "!")
        return "linear"

    outcome, taken, peak = _in_child(expression)
    print(f"{'regex bomb':26}  {outcome:18} {taken:7.2f} {peak - idle:7.0f}")


if __name__ == "__main__":
    main()
