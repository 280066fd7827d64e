"""Giving up root for good: the groups, the group, the user, and that no program gains any.

Spec: credentials(7), setresuid(2), prctl(2). All modules are imported before, since a user who
may read no file of this installation could not import one later.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from dataclasses import dataclass

from ftpfw.errors import HostError, KernelError

PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose rights a process takes."""

    name: str
    uid: int
    gid: int


def account(name: str) -> Account:
    """The account of a name; this process's own for the empty one."""
    if not name:
        return Account("", os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise HostError(
            f"there is no user {name} for anonymous sessions to run as",
            mend=f"name one by --user, or: useradd --system --shell /usr/sbin/nologin {name}",
        ) from None
    return Account(name, entry.pw_uid, entry.pw_gid)


def become(who: Account) -> None:
    """Take an account's rights; nothing leads back. Without root there is nothing to give up."""
    os.umask(0o077)
    zero = ctypes.c_ulong(0)
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero):
        raise KernelError("give up privileges (prctl)", ctypes.get_errno())
    if os.geteuid() != 0:
        return
    os.setgroups([who.gid])
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
