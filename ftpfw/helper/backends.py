"""Where the helper extension of control connections comes from on this host.

    cthelper   our own helper, registered through nfnetlink_cthelper
    borrowed   an in-kernel helper whose parser ignores FTP text, and our NFQUEUE rule
    kernel     nf_conntrack_ftp, no inspector
    none       no helper: passive mode only

An expectation needs a master with a helper attached (ctnetlink_create_expect); the
first two differ in whose helper that is and in which hook the packets come from.

``auto`` takes ``borrowed`` first: only segments with data are queued, what happens
while nobody listens is the rule's to say, and nothing is registered beyond the network
namespace. With ``cthelper`` the kernel queues each packet of a flow, and does not confirm
new connections while nobody listens.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ftpfw.conntrack import cthelper
from ftpfw.errors import HostError
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.policy import Backend, OnCrash, Policy

INSPECTED = frozenset({Backend.CTHELPER, Backend.BORROWED})
"""The backends that need the inspector to run."""

NFQUEUE_PROC = Path("/proc/net/netfilter/nfnetlink_queue")


@dataclass(frozen=True, slots=True)
class Offer:
    """One backend on this host: usable, or why not and what mends it."""

    backend: Backend
    usable: bool
    why: str
    mend: str = ""


def offers() -> list[Offer]:
    """What this host offers, in the order in which ``auto`` prefers it."""
    return [_borrowed(), _cthelper(), _kernel()]


def resolve_backend(policy: Policy) -> Backend:
    """The backend that the policy means on this host; raises HostError where it has none."""
    wanted = policy.helper.backend
    if wanted is Backend.NONE:
        return wanted
    candidates = [offer for offer in offers() if offer.backend in _candidates(policy)]
    usable = [offer.backend for offer in candidates if offer.usable]
    if usable:
        return usable[0]
    reasons = "; ".join(f"{offer.backend}: {offer.why}" for offer in candidates)
    raise HostError(f"no usable backend ({reasons})", mend="; or ".join(o.mend for o in candidates))


def _candidates(policy: Policy) -> set[Backend]:
    """What ``auto`` may take: cthelper fails open and has one queue, whatever the policy says."""
    wanted = policy.helper.backend
    if wanted is not Backend.AUTO:
        return {wanted}
    if policy.helper.on_crash is OnCrash.CLOSED or len(policy.helper.queue) > 1:
        return {Backend.BORROWED}
    return set(INSPECTED)


def _cthelper() -> Offer:
    if not _has_queue():
        return _no_queue(Backend.CTHELPER)
    if cthelper.available():
        return Offer(Backend.CTHELPER, True, "nfnetlink_cthelper answers")
    return Offer(
        Backend.CTHELPER,
        False,
        "nfnetlink_cthelper does not answer",
        "modprobe nfnetlink_cthelper (a distribution kernel has it)",
    )


def _borrowed() -> Offer:
    if not _has_queue():
        return _no_queue(Backend.BORROWED)
    return _attached(Backend.BORROWED, "nf_conntrack_sane")


def _kernel() -> Offer:
    return _attached(Backend.KERNEL, "nf_conntrack_ftp")


def _attached(backend: Backend, module: str) -> Offer:
    name = HELPER_NAME[backend]
    if attachable(name):
        return Offer(backend, True, f"the kernel's helper {name!r} can be attached")
    return Offer(
        backend, False, f"the kernel's helper {name!r} cannot be attached", f"modprobe {module}"
    )


def _has_queue() -> bool:
    if not NFQUEUE_PROC.exists() and shutil.which("modprobe"):
        subprocess.run(["modprobe", "--quiet", "nfnetlink_queue"], check=False)
    return NFQUEUE_PROC.exists()


def _no_queue(backend: Backend) -> Offer:
    return Offer(
        backend, False, "the kernel has no NFQUEUE", "modprobe nfnetlink_queue, or backend = kernel"
    )


def attachable(helper: str) -> bool:
    """Whether a rule can attach the conntrack helper ``helper``.

    The kernel is asked with such a rule in a network namespace that ends with the
    question. Where no namespace can be made, loading the rules will tell.
    """
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        return True
    rule = f"-t raw -A PREROUTING -p tcp --dport 21 -j CT --helper {helper}".split()
    programs = [name for name in ("iptables-legacy", "iptables-nft") if shutil.which(name)]
    return any(
        subprocess.run(
            ["unshare", "--net", name, *rule], capture_output=True, check=False
        ).returncode
        == 0
        for name in programs
    )
