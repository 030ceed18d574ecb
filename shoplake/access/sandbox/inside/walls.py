"""The walls around sandboxed processes. Each is built where the kernel allows it; what stands is told."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from shoplake.access.sandbox.inside.files import only_read_below
from shoplake.access.sandbox.inside.system import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWUSER,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    bound_capabilities,
    drop_capabilities,
    prctl,
    unshare,
)
from shoplake.access.sandbox.inside.system_calls import NewProcessesShut, shut_system_calls

NETWORK, ROOT, USER, FILES, CALLS = "network", "root", "user", "files", "calls"
"""No network; another root folder; another user; Landlock; seccomp."""
OPEN_FILES, MOST_PROCESSES = 4096, 4096
SPARE_BYTES = 512 << 20
"""Room beside the engine's memory: the interpreter's, stacks of threads, the rows that are on their way."""
RESERVED = 4
"""How many times as much address space as memory may be reserved."""


def leave_network() -> list[str]:
    """Move this process, which must have one thread, where there is no network; give the walls that stand."""
    try:
        unshare(CLONE_NEWNET | CLONE_NEWIPC)
    except OSError:
        try:
            _as_another_root()
        except OSError:
            return []
    return [NETWORK]


def _as_another_root() -> None:
    """Do it without rights: in a namespace of users, where this process has them."""
    user, group = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC)
    for name, words in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path("/proc/self", name).write_text(words, encoding="ascii")


def die_with_parent(parent: int) -> None:
    """End this process when its parent, which it was forked from, ends."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def enclose(folder: int, uid: int | None, gid: int | None, memory_bytes: int) -> list[str]:
    """Shut this process, and all that come of it, in a folder; give the walls that stand.

    Args:
        folder: handle of the folder that it may read files of; it becomes the current one.
        uid: user to become; None to stay who it is.
        gid: group to become.
        memory_bytes: that the engine may use.

    """
    _limit_memory(memory_bytes)
    os.fchdir(folder)
    return [name for name, build in _steps(folder, uid, gid) if _stands(build)]


def _steps(folder: int, uid: int | None, gid: int | None) -> Iterator[tuple[str, Callable[[], None]]]:
    yield ROOT, _new_root
    yield USER, lambda: _become(uid, gid)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)
    yield FILES, lambda: only_read_below(folder)
    yield CALLS, shut_system_calls


def _stands(build: Callable[[], None]) -> bool:
    try:
        build()
    except (OSError, KeyError):
        return False
    return True


def _new_root() -> None:
    os.chroot(".")
    os.chdir("/")


def _become(uid: int | None, gid: int | None) -> None:
    """Become another user, and have no rights beyond theirs."""
    bound_capabilities()
    if uid is not None and gid is not None:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        resource.setrlimit(resource.RLIMIT_NPROC, (MOST_PROCESSES, MOST_PROCESSES))
    drop_capabilities()
    if uid is None:
        raise OSError("the same user as before")


def limit_from_the_start() -> None:
    """Set the limits that need no numbers: nothing is written, no core is dumped, others go first."""
    for name, most in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NOFILE, min(OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])),
    ):
        resource.setrlimit(name, (most, most))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.nice(5)


@cache
def new_processes_shut() -> Callable[[], None]:
    """Give what keeps a query from making processes; whoever forks the workers has it made before."""
    try:
        return NewProcessesShut().put_up
    except OSError:
        return lambda: None


def limit_query(cpu_seconds: int) -> None:
    """Set what one query may use, beside the memory; it can make no process of its own."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    _stands(new_processes_shut())


def _limit_memory(memory_bytes: int) -> None:
    sizes = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    for name, size, more in (
        (resource.RLIMIT_DATA, "VmData", memory_bytes + SPARE_BYTES),
        (resource.RLIMIT_AS, "VmSize", RESERVED * (memory_bytes + SPARE_BYTES)),
    ):
        most = int(sizes[size].split()[0]) * 1024 + more
        resource.setrlimit(name, (most, most))
