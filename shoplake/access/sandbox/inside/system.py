"""Calls of Linux that Python has no function for."""

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_BARE_FORK = getattr(ctypes.PyDLL(None, use_errno=True), "_Fork", None)
"""It is called without letting go of the interpreter, for there is no other thread to have it."""
for _name, _takes in (
    ("mmap", (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)),
    ("mremap", (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p)),
    ("mprotect", (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)),
    ("madvise", (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)),
    ("munmap", (ctypes.c_void_p, ctypes.c_size_t)),
    ("malloc", (ctypes.c_size_t,)),
):
    getattr(_LIBC, _name).argtypes = _takes
_LIBC.mmap.restype = _LIBC.mremap.restype = _LIBC.malloc.restype = ctypes.c_void_p

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x08000000, 0x10000000, 0x40000000
PROT_READ, PROT_WRITE, PROT_EXEC, MAP_PRIVATE, MAP_ANONYMOUS = 1, 2, 4, 0x02, 0x20
MREMAP_MAYMOVE, MREMAP_FIXED = 1, 2
MADV_HUGEPAGE, MADV_POPULATE_WRITE, MADV_COLLAPSE = 14, 23, 25
MAP_FAILED = (1 << 8 * ctypes.sizeof(ctypes.c_void_p)) - 1
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


def fork() -> int:
    """Fork this process, which must have one thread: gives 0 in the new one.

    It leaves out what libraries and the interpreter do around a fork for the sake of other threads: every lock is free
    where there is one thread, and putting them right would write to some 170 pages, which are then copied.

    Raises:
        OSError: the kernel refuses.

    """
    return os.fork() if _BARE_FORK is None else _checked(_BARE_FORK())


def large_pages(size: int, unit: int) -> int:
    """Give the address of new memory that lies in large pages of ``unit`` bytes, all of it.

    Raises:
        OSError: the kernel has no such pages, or none free.

    """
    whole: int = _LIBC.mmap(None, size + unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if whole == MAP_FAILED:
        raise OSError(ctypes.get_errno(), "no memory")
    start = -(-whole // unit) * unit
    release(whole, start - whole)
    release(start + size, whole + unit - start)
    try:
        _checked(_LIBC.madvise(start, size, MADV_HUGEPAGE))
        _checked(_LIBC.madvise(start, size, MADV_POPULATE_WRITE))
        gather(start, size)
    except OSError:
        release(start, size)
        raise
    return start


def gather(start: int, size: int) -> None:
    """Have memory lie in large pages, each part of it that would fill one.

    Raises:
        OSError: the kernel has no such pages, or none free.

    """
    _checked(_LIBC.madvise(start, size, MADV_COLLAPSE))


def protect(start: int, size: int, *, is_code: bool) -> None:
    """Let memory be read, or run, and no longer be written.

    Raises:
        OSError: the kernel refuses.

    """
    _checked(_LIBC.mprotect(start, size, PROT_READ | (PROT_EXEC if is_code else 0)))


def move_pages(start: int, size: int, to: int) -> None:
    """Move memory to another address in one step, in the place of what is there.

    Raises:
        OSError: the kernel refuses.

    """
    if _LIBC.mremap(start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED:
        raise OSError(ctypes.get_errno(), "memory cannot be moved")


def allocate(size: int) -> int:
    """Give the address of memory as the C library hands it out; nobody gives it back."""
    return _LIBC.malloc(size) or 0


def release(start: int, size: int) -> None:
    """Give memory back."""
    if size:
        _LIBC.munmap(start, size)


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
