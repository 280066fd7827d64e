"""What this kernel and host offer, and what is missing: asked of the kernel, not guessed.

Each `Finding` names what was looked at, what was found and the command that mends it.
A finding that is ``needed`` and not ``ok`` keeps ``load`` from working with
``backend = "auto"``.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.errors import FtpfwError
from ftpfw.helper.backends import INSPECTED, NFQUEUE_PROC, Offer, offers
from ftpfw.helper.privileges import CAP_NET_ADMIN, has_capability

SYSCTL = Path("/proc/sys/net")
WHOLE_ID_RANGE = 4294967295
COUNT_BYTES = "sysctl -w net.netfilter.nf_conntrack_acct=1"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    ok: bool
    found: str
    mend: str = ""
    needed: bool = True


def examine() -> tuple[list[Finding], list[Offer]]:
    """Look at everything; the second part is what each backend finds here."""
    found = list(offers())
    return [*_host(), *_inspection(), *_backends(found), *_forwarding(), *_conntrack()], found


def counts_bytes() -> bool | None:
    """Whether conntrack counts packets and bytes of new connections; None: not known."""
    value = _sysctl("netfilter/nf_conntrack_acct")
    return None if value is None else value != 0


def _host() -> Iterator[Finding]:
    yield Finding("kernel", True, f"{platform.system()} {platform.release()}")
    admin = has_capability(CAP_NET_ADMIN)
    yield Finding("CAP_NET_ADMIN", admin, "held" if admin else "missing", "run it with sudo")
    programs = [name for name in ("iptables-legacy", "iptables-nft") if shutil.which(name)]
    yield Finding(
        "iptables", bool(programs), ", ".join(programs) or "missing", "apt-get install iptables"
    )
    initial = _is_initial_user_namespace()
    yield Finding(
        "user namespace",
        initial,
        "the initial one" if initial else "not the initial one",
        "kernels from 2026 on drop rewritten packets here: run ftpfw in the initial user namespace",
        needed=False,
    )


def _inspection() -> Iterator[Finding]:
    queue = NFQUEUE_PROC.exists()
    yield Finding(
        "NFQUEUE",
        queue,
        "there" if queue else "missing",
        "modprobe nfnetlink_queue",
    )
    try:
        with Ctnetlink() as kernel:
            kernel.list_expectations()
        yield Finding("ctnetlink", True, "answers")
    except FtpfwError as error:
        yield Finding("ctnetlink", False, error.what, error.mend or "modprobe nf_conntrack_netlink")


def _backends(found: list[Offer]) -> Iterator[Finding]:
    some = any(offer.usable for offer in found if offer.backend in INSPECTED)
    for offer in found:
        needed = offer.backend in INSPECTED and not some
        yield Finding(f"backend {offer.backend}", offer.usable, offer.why, offer.mend, needed)


def _forwarding() -> Iterator[Finding]:
    for family, path in (("IPv4", "ipv4/ip_forward"), ("IPv6", "ipv6/conf/all/forwarding")):
        value = _sysctl(path)
        if value is not None:
            yield Finding(
                f"{family} forwarding",
                value != 0,
                "on" if value else "off",
                f"sysctl -w net.{path.replace('/', '.')}=1",
                needed=False,
            )


def _conntrack() -> Iterator[Finding]:
    counts = counts_bytes()
    if counts is not None:
        found = "on" if counts else "off: transfer logs have no bytes"
        yield Finding("conntrack accounting", counts, found, COUNT_BYTES, needed=False)
    used, limit = _sysctl("netfilter/nf_conntrack_count"), _sysctl("netfilter/nf_conntrack_max")
    if used is not None and limit:
        yield Finding(
            "conntrack table",
            used < limit * 0.9,
            f"{used} of {limit} entries used",
            f"sysctl -w net.netfilter.nf_conntrack_max={limit * 2}",
            needed=False,
        )


def _is_initial_user_namespace() -> bool:
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", str(WHOLE_ID_RANGE)]


def _sysctl(path: str) -> int | None:
    try:
        return int((SYSCTL / path).read_text())
    except (OSError, ValueError):
        return None
