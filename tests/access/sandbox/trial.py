"""A process that shuts itself in a folder, as sessions do, then tries all that it should not be able to do.

``python -m tests.access.sandbox.trial FOLDER UID SECRET`` prints what stands and what went how, as JSON. UID ``-``
keeps the user.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

from shoplake.access.sandbox.inside import system, walls


def _socket(family: int = socket.AF_INET) -> None:
    with socket.socket(family):
        pass


def attempts(secret: str) -> dict[str, Callable[[], object]]:
    libc = ctypes.CDLL(None, use_errno=True)
    return {
        "read own": lambda: os.close(os.open("0", os.O_RDONLY)),
        "thread": lambda: threading.Thread(target=lambda: None).start(),
        "write own": lambda: os.open("0", os.O_WRONLY),
        "append own": lambda: os.open("0", os.O_RDWR | os.O_APPEND),
        "truncate own": lambda: os.truncate("0", 0),
        "chmod own": lambda: os.chmod("0", 0o666),  # noqa: S103 - it must fail
        "unlink own": lambda: os.unlink("0"),
        "rename own": lambda: os.rename("0", "1"),
        "link own": lambda: os.link("0", "1"),
        "create": lambda: os.open("new", os.O_WRONLY | os.O_CREAT, 0o600),
        "make folder": lambda: os.mkdir("folder"),
        "list": lambda: os.listdir("."),
        "read passwd": lambda: os.open("/etc/passwd", os.O_RDONLY),
        "read environ": lambda: os.open("/proc/self/environ", os.O_RDONLY),
        "read secret": lambda: os.open(secret, os.O_RDONLY),
        "climb out": lambda: os.open("../../../../../../../../etc/passwd", os.O_RDONLY),
        "chroot": lambda: os.chroot("/"),
        "internet": _socket,
        "unix": lambda: _socket(socket.AF_UNIX),
        "socketpair": socket.socketpair,
        "fork": os.fork,
        "exec": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
        "kill": lambda: os.kill(os.getppid(), signal.SIGCONT),
        "become root": lambda: os.setuid(0),
        "ptrace": lambda: system._checked(libc.ptrace(16, os.getppid(), 0, 0)),
        "memory of parent": lambda: system.syscall(
            310 if os.uname().machine == "x86_64" else 270, os.getppid(), 0, 0, 0, 0, 0
        ),
        "namespace": lambda: system.unshare(system.CLONE_NEWUSER),
        "anonymous file": lambda: os.memfd_create("x"),
        "io_uring": lambda: system.syscall(425, 8, 0),
        "more memory": lambda: bytearray(3 << 30),
    }


def main() -> None:
    folder, uid, secret = os.open(sys.argv[1], os.O_RDONLY), sys.argv[2], sys.argv[3]
    user = None if uid == "-" else int(uid)
    report = os.dup(1)
    stand = walls.leave_network()
    walls.limit_from_the_start()
    stand += walls.enclose(folder, user, user, 100_000_000)
    walls.limit_query(20)
    went = {}
    for name, attempt in attempts(secret).items():
        try:
            attempt()
            went[name] = "done"
        except (OSError, MemoryError) as error:
            went[name] = type(error).__name__
    os.write(report, json.dumps({"walls": stand, "went": went, "uid": os.getuid()}).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
