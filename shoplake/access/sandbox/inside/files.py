"""Landlock: of all files only those of one folder can be opened, and only to be read; needs no rights to set up."""

from __future__ import annotations

import ctypes
import os
import struct

from shoplake.access.sandbox.inside.system import syscall

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
GIVE_VERSION, PATH_BENEATH = 1, 1
READ_FILE = 1 << 2
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many kinds of access the kernel's version can deny; later versions deny as many as the last one here."""
NETWORK_SINCE, SCOPES_SINCE = 4, 6
BIND_AND_CONNECT, SOCKETS_AND_SIGNALS = 0b11, 0b11


def only_read_below(folder: int) -> None:
    """Let this process, and all that come of it, read files in one folder; shut every other file, and the network.

    Args:
        folder: handle of the folder.

    Raises:
        OSError: the kernel has no Landlock.

    """
    version = syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(GIVE_VERSION))
    kinds = (1 << FILE_RIGHTS[min(version, max(FILE_RIGHTS))]) - 1
    words = [kinds]
    if version >= NETWORK_SINCE:
        words.append(BIND_AND_CONNECT)
    if version >= SCOPES_SINCE:
        words.append(SOCKETS_AND_SIGNALS)
    rules = ctypes.create_string_buffer(struct.pack(f"<{len(words)}Q", *words), 8 * len(words))
    handle = syscall(CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(8 * len(words)), ctypes.c_uint32(0))
    below = ctypes.create_string_buffer(struct.pack("<Qi", READ_FILE, folder), 12)
    syscall(ADD_RULE, ctypes.c_int(handle), ctypes.c_int(PATH_BENEATH), ctypes.byref(below), ctypes.c_uint32(0))
    syscall(RESTRICT_SELF, ctypes.c_int(handle), ctypes.c_uint32(0))
    os.close(handle)
