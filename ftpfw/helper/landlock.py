"""Landlock: from here on this process changes files below a few directories only.

Spec: landlock(7), include/uapi/linux/landlock.h. Reading stays as it is, for modules that are
imported later and a policy that is read again; writing, creating, renaming and removing
are bound to the given directories, nothing can be executed, and no process outside can be
sent a signal. It takes away most of what a root without capabilities still owns (see
``privileges``). Kernels before 5.13, or without the LSM, do not have it: the caller is told.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from enum import IntFlag
from functools import reduce
from operator import or_
from pathlib import Path

from ftpfw.errors import HostError, KernelError

SYS_LANDLOCK_CREATE_RULESET = 444  # the same on every architecture
SYS_LANDLOCK_ADD_RULE = 445
SYS_LANDLOCK_RESTRICT_SELF = 446

LANDLOCK_CREATE_RULESET_VERSION = 1
LANDLOCK_RULE_PATH_BENEATH = 1
LANDLOCK_SCOPE_SIGNAL = 1 << 1


class Access(IntFlag):
    """LANDLOCK_ACCESS_FS_*, those that are bound here."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14


SINCE = {Access.REFER: 2, Access.TRUNCATE: 3}
"""The ABI version that brought it, where that is not the first."""

SCOPES_SINCE = 6
"""The ABI version that brought the bound on signals."""

INSIDE = (
    Access.WRITE_FILE | Access.REMOVE_FILE | Access.MAKE_REG | Access.MAKE_SOCK | Access.TRUNCATE
)
"""What may be done below the given directories."""

_libc = ctypes.CDLL(None, use_errno=True)


def confine_writing(directories: Iterable[Path]) -> bool:
    """Bind this thread, and all that it starts, to ``directories``; False where it cannot.

    The process must have no_new_privs, and should have one thread.
    """
    version = _libc.syscall(
        SYS_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_CREATE_RULESET_VERSION
    )
    if version < 1:
        return False
    bound = _bound(version)
    ruleset = _create_ruleset(bound, version)
    try:
        for directory in directories:
            _allow(ruleset, directory, INSIDE & bound)
        _call("bind this process (landlock_restrict_self)", SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def _bound(version: int) -> Access:
    """Every access that this kernel can bind."""
    return reduce(or_, (access for access in Access if SINCE.get(access, 1) <= version))


def _create_ruleset(bound: Access, version: int) -> int:
    scoped = LANDLOCK_SCOPE_SIGNAL if version >= SCOPES_SINCE else 0
    attributes = struct.pack("=QQQ", bound, 0, scoped)
    size = len(attributes) if scoped else 8
    what = "bind this process (landlock_create_ruleset)"
    return _call(what, SYS_LANDLOCK_CREATE_RULESET, attributes, size, 0)


def _allow(ruleset: int, directory: Path, access: Access) -> None:
    try:
        parent = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise HostError(
            f"{directory} cannot be written to: {error.strerror}", mend=f"mkdir -p {directory}"
        ) from error
    try:
        rule = struct.pack("=Qi", access, parent)
        what = f"allow {directory} (landlock_add_rule)"
        _call(what, SYS_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(parent)


def _call(attempted: str, number: int, *arguments: int | bytes) -> int:
    longs = (a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments)
    outcome: int = _libc.syscall(number, *longs)
    if outcome < 0:
        raise KernelError(attempted, ctypes.get_errno() or errno.EINVAL)
    return outcome
