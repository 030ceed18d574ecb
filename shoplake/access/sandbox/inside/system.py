"""Calls of Linux that Python has no function for."""

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION = 0x20080522
LAST_CAPABILITY = 63


def prctl(option: int, value: int, more: object = 0) -> None:
    """Change an attribute of this process.

    Raises:
        OSError: the kernel refuses.

    """
    _checked(_LIBC.prctl(option, ctypes.c_ulong(value), more, 0, 0))


def unshare(flags: int) -> None:
    """Leave namespaces for new ones.

    Raises:
        OSError: the kernel refuses.

    """
    _checked(_LIBC.unshare(flags))


def syscall(number: int, *arguments: object) -> int:
    """Call the kernel by number.

    Raises:
        OSError: the kernel refuses.

    """
    return _checked(int(_LIBC.syscall(ctypes.c_long(number), *arguments)))


def bound_capabilities() -> None:
    """Give up the way to get any capability again, where this process may: before it becomes another user."""
    for number in range(LAST_CAPABILITY + 1):
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError:
            return  # The kernel has no more of them, or this process has no say in it.


def drop_capabilities() -> None:
    """Give up every capability.

    Raises:
        OSError: the kernel refuses.

    """
    head = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    nothing = (ctypes.c_uint32 * 6)()
    syscall(CAPSET[os.uname().machine], ctypes.byref(head), ctypes.byref(nothing))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
