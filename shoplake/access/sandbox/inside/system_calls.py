"""A seccomp filter: calls that a process which only computes and reads has no use for fail."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

from shoplake.access.sandbox.inside.system import PR_SET_SECCOMP, prctl

MODE_FILTER = 2
LOAD, JUMP_EQUAL, JUMP_FROM, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
ALLOW, KILL, FAIL_WITH = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
CLONE_THREAD = 0x00010000
OTHER_ABI = 0x40000000
"""x86-64 has a second set of numbers from here on, which this filter does not know."""

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# name: (number on x86-64, number on aarch64); None where there is no such call.
SHUT: dict[str, tuple[int | None, int | None]] = {
    **{"socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201)},
    **{"accept": (43, 202), "accept4": (288, 242), "execve": (59, 221), "execveat": (322, 281)},
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272)},
    **{"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138)},
    **{"pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "mount": (165, 40), "umount2": (166, 39)},
    **{"pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268)},
    **{"creat": (85, None), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276)},
    **{"unlink": (87, None), "unlinkat": (263, 35), "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None)},
    **{"link": (86, None), "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36)},
    **{"mknod": (133, None), "mknodat": (259, 33), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53)},
    **{"fchmodat2": (452, 452), "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54)},
    **{"truncate": (76, 45), "ftruncate": (77, 46), "fallocate": (285, 47), "utimensat": (280, 88)},
    **{"setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "memfd_create": (319, 279)},
    **{"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280)},
    **{"perf_event_open": (298, 241), "userfaultfd": (323, 282), "init_module": (175, 105)},
    **{"finit_module": (313, 273), "kexec_load": (246, 104), "reboot": (169, 142), "swapon": (167, 224)},
    **{"open_by_handle_at": (304, 265), "inotify_init1": (294, 26), "fanotify_init": (300, 262)},
    **{"shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180)},
}
UNKNOWN: dict[str, tuple[int | None, int | None]] = {
    "openat2": (437, 437),
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
"""Fail as if the kernel did not know them: what they do is not in their arguments. Libraries then use older ones."""
OPENING: dict[str, tuple[int | None, int | None, int]] = {"open": (2, None, 1), "openat": (257, 56, 2)}
"""With the place of the argument that says whether to write."""
NEW_PROCESS: dict[str, tuple[int | None, int | None]] = {"fork": (57, None), "vfork": (58, None)}
CLONE = (56, 220)

Step = tuple[int, int, int, int]


def shut_system_calls() -> None:
    """Shut what neither a session nor a query needs: network, writing, signals, other programs.

    Raises:
        OSError: the kernel has no such filters, or this machine's numbers are not known.

    """
    here = _column()
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
    steps = [
        *_fail(errno.EPERM, (numbers[here] for numbers in SHUT.values())),
        *_fail(errno.ENOSYS, (numbers[here] for numbers in UNKNOWN.values())),
    ]
    for entry in OPENING.values():
        number, place = entry[here], entry[2]
        if number is not None:
            steps += _when(number, place, writes, errno.EACCES, is_set=True)
    _install(steps)


class NewProcessesShut:
    """The filter that lets a process make threads only, ready to be put up: made once for all that are forked."""

    def __init__(self) -> None:
        """Make it.

        Raises:
            OSError: this machine's numbers are not known.

        """
        here = _column()
        steps = _fail(errno.EPERM, (numbers[here] for numbers in NEW_PROCESS.values()))
        self._code, self._head = _program(steps + _when(CLONE[here], 0, CLONE_THREAD, errno.EPERM, is_set=False))
        self._place = ctypes.byref(self._head)

    def put_up(self) -> None:
        """Let this process make threads only.

        Raises:
            OSError: the kernel has no such filters.

        """
        prctl(PR_SET_SECCOMP, MODE_FILTER, self._place)


def _column() -> int:
    if os.uname().machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, "the numbers of this machine's system calls are not known")
    return list(ARCHITECTURES).index(os.uname().machine)


def _fail(error: int, numbers: Iterable[int | None]) -> list[Step]:
    steps: list[Step] = []
    for number in numbers:
        if number is not None:
            steps += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, FAIL_WITH | error)]
    return steps


def _when(number: int, place: int, bits: int, error: int, *, is_set: bool) -> list[Step]:
    """Fail a call by whether any of some bits of an argument is set; the number is loaded before and after."""
    # Equal to 0 means that no bit is set: jump over the failure, or into it.
    past, into = (1, 0) if is_set else (0, 1)
    return [
        (JUMP_EQUAL, 0, 5, number),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT + 8 * place),
        (AND, 0, 0, bits),
        (JUMP_EQUAL, past, into, 0),
        (RETURN, 0, 0, FAIL_WITH | error),
        (LOAD, 0, 0, NUMBER_AT),
    ]


def _install(steps: list[Step]) -> None:
    _code, head = _program(steps)
    prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(head))


def _program(steps: list[Step]) -> tuple[ctypes.Array[ctypes.c_char], ctypes.Array[ctypes.c_char]]:
    """Give the code of a filter, which has to be kept, and the head that points at it."""
    program = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 1, 0, ARCHITECTURES[os.uname().machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_FROM, 0, 1, OTHER_ABI),
        (RETURN, 0, 0, FAIL_WITH | errno.ENOSYS),
        *steps,
        (RETURN, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    return code, ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code)))
