"""What the helper may do once it runs: administer the network, and nothing else.

Spec: capabilities(7), prctl(2), capset(2). CAP_NET_ADMIN is what binding a queue, ctnetlink
and nfnetlink_cthelper ask for; loading their modules is the kernel's own doing. It stays in the
permitted and effective sets; the others are emptied, so are bounding, inheritable and
ambient set and the supplementary groups, and no program that is executed gains any.
Children and threads inherit all of it: it is done before there are any.

Started as root the helper keeps that user id, because all that it touches is root's: the
state directory, the policy when it is read again, log files when they are rotated. A root
without capabilities still owns root's files; ``landlock`` keeps it from writing them.
It can still change their modes and talk to services that trust root's id, so a service
manager should give the helper a user of its own, as the systemd unit in packaging/ does.
It then needs CAP_NET_ADMIN in its ambient set; the bounding set, which it may not change, is
held shut by no_new_privs.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

from ftpfw.errors import HostError, KernelError

CAP_SETGID = 6
CAP_SETPCAP = 8
CAP_NET_ADMIN = 12

PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

SECUREBITS = 0xEF
"""NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, on, and these and KEEP_CAPS locked."""

LINUX_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def effective_capabilities() -> int:
    """The capabilities in effect in this process, as bits (CapEff of proc_pid_status(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    raise HostError("/proc/self/status does not tell the capabilities", mend="mount /proc")


def has_capability(capability: int) -> bool:
    """Whether this process has a capability in effect."""
    return bool(effective_capabilities() >> capability & 1)


def drop_privileges() -> None:
    """Give up everything but CAP_NET_ADMIN, for good; no thread may run yet."""
    os.umask(0o077)
    if has_capability(CAP_SETGID):
        os.setgroups([])
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    if has_capability(CAP_SETPCAP):
        for capability in range(_last_capability() + 1):
            _prctl(PR_CAPBSET_DROP, capability)
        _prctl(PR_SET_SECUREBITS, SECUREBITS)
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    _capset(1 << CAP_NET_ADMIN)


def _last_capability() -> int:
    return int(Path("/proc/sys/kernel/cap_last_cap").read_text())


def _prctl(option: int, argument: int) -> None:
    zero = ctypes.c_ulong(0)
    if _libc.prctl(option, ctypes.c_ulong(argument), zero, zero, zero):
        raise KernelError(f"give up privileges (prctl {option})", ctypes.get_errno())


def _capset(kept: int) -> None:
    """Make ``kept`` the effective and permitted set, and nothing the inheritable one."""
    header = struct.pack("=Ii", LINUX_CAPABILITY_VERSION_3, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    sets = struct.pack("=6I", low, low, 0, high, high, 0)
    if _libc.capset(header, sets):
        raise KernelError("give up capabilities (capset)", ctypes.get_errno())
