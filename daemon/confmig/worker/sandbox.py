"""What a child process loses before it runs the Python code of a bundle.

Linux; each part best effort.

* its environment and its open files, but for the one pipe;
* time and memory beyond limits, and growth of any file (rlimits);
* the right to write, make, remove, rename or truncate files (Landlock);
* new processes, signals, sockets, modes, owners and times of files (seccomp), and the network
  (a namespace of its own).

A kernel without one of these leaves the others; handlers come from a trusted bundle in any case.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_LANDLOCK_WRITES = (1 << 1) | sum(1 << bit for bit in range(4, 13))  # write_file, remove_*, make_*
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: load word, jump if equal, return
_ALLOW, _DENY = 0x7FFF0000, 0x00050001  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EPERM

# fork, vfork, clone*, execve*, kill, tkill, tgkill, ptrace, socket, *chmod*, *chown*, *setxattr,
# utime*
_CALLS = {
    "x86_64": (
        0xC000003E,
        (
            56,
            57,
            58,
            435,
            59,
            322,
            62,
            200,
            234,
            101,
            41,
            90,
            91,
            268,
            452,
            92,
            93,
            94,
            260,
            188,
            189,
            190,
            280,
            132,
            235,
            261,
        ),
    ),
    "aarch64": (
        0xC00000B7,
        (220, 435, 221, 281, 129, 130, 131, 117, 198, 52, 53, 452, 54, 55, 5, 6, 7, 88),
    ),
}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("yes", ctypes.c_uint8),
        ("no", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("code", ctypes.POINTER(_Instruction)))


def harden(keep: int, *, seconds: float, memory: int) -> None:
    """Harden this process for good.

    ``keep`` is the one file descriptor that stays; ``memory`` is in bytes above what is in use.
    """
    os.environ.clear()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEWNET) != 0:
        libc.unshare(_NEWUSER | _NEWNET)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    top = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 16)
    os.closerange(3, keep)
    os.closerange(keep + 1, top)
    with open("/proc/self/statm", "rb") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, used + memory)
    _limit(resource.RLIMIT_CPU, int(seconds) + 1)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_CORE, 0)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    _forbid_writing(libc)
    _forbid_calls(libc)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _forbid_writing(libc: ctypes.CDLL) -> None:
    version = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return
    handled = _LANDLOCK_WRITES
    handled |= 1 << 13 if version >= 2 else 0  # refer
    handled |= 1 << 14 if version >= 3 else 0  # truncate
    attribute = ctypes.c_uint64(handled)
    ruleset = libc.syscall(_LANDLOCK_CREATE, ctypes.byref(attribute), 8, 0)
    if ruleset >= 0:
        libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
        os.close(ruleset)


def _forbid_calls(libc: ctypes.CDLL) -> None:
    known = _CALLS.get(platform.machine())
    if known is None:
        return
    architecture, calls = known
    # offset 4 of seccomp_data is the architecture, offset 0 the number of the call
    code = [_Instruction(_LOAD, 0, 0, 4), _Instruction(_EQUAL, 0, len(calls) + 1, architecture)]
    code.append(_Instruction(_LOAD, 0, 0, 0))
    for position, call in enumerate(calls):
        code.append(_Instruction(_EQUAL, len(calls) - position, 0, call))
    code += [_Instruction(_RETURN, 0, 0, _ALLOW), _Instruction(_RETURN, 0, 0, _DENY)]
    array = (_Instruction * len(code))(*code)
    program = _Program(len(code), array)
    libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)
