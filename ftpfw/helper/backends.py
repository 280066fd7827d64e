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

import os
import shutil
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ftpfw.conntrack import cthelper
from ftpfw.errors import HostError, KernelError
from ftpfw.helper.privileges import CAP_NET_ADMIN, has_capability
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.policy import Backend, OnCrash, Policy

INSPECTED = frozenset({Backend.CTHELPER, Backend.BORROWED})
"""The backends that need the inspector to run."""

HELPER_MODULE = {
    Backend.BORROWED: "nf_conntrack_sane",
    Backend.CTHELPER: "nfnetlink_cthelper",
    Backend.KERNEL: "nf_conntrack_ftp",
}
"""What must be in the kernel for a backend."""

MODPROBE_CTHELPER = "modprobe nfnetlink_cthelper (distribution kernels have it)"
LOADED_MODULES = Path("/sys/module")
"""Modules with parameters are here when built in, too."""

TRIED_WITH = frozenset({"ip_tables", "iptable_raw", "nf_tables", "nft_compat", "xt_CT"})
"""What a rule on trial would have the kernel load."""

NFQUEUE_PROC = Path("/proc/net/netfilter/nfnetlink_queue")


@dataclass(frozen=True, slots=True)
class Offer:
    """One backend on this host: usable, or why not and what mends it."""

    backend: Backend
    usable: bool
    why: str
    mend: str = ""


def offers(idle: Collection[str] | None = None) -> Iterator[Offer]:
    """What this host offers, in the order in which ``auto`` prefers it; asked one by one.

    ``idle`` are modules that are there and not loaded: what needs one is not tried, since
    that would load it. Without them, what a backend needs is loaded.
    """
    yield _borrowed(idle)
    yield _cthelper(idle)
    yield _kernel(idle)


def resolve_backend(policy: Policy) -> Backend:
    """The backend that the policy means on this host; raises HostError where it has none."""
    if policy.helper.backend is Backend.NONE:
        return Backend.NONE
    refused = []
    for offer in offers():
        if offer.backend in _candidates(policy):
            if offer.usable:
                return offer.backend
            refused.append(offer)
    reasons = "; ".join(f"{offer.backend}: {offer.why}" for offer in refused)
    mends = dict.fromkeys(offer.mend for offer in refused)
    raise HostError(f"no usable backend ({reasons})", mend="; or ".join(mends))


def _candidates(policy: Policy) -> set[Backend]:
    """What ``auto`` may take: cthelper fails open and has one queue, whatever the policy says."""
    wanted = policy.helper.backend
    if wanted is not Backend.AUTO:
        return {wanted}
    if policy.helper.on_crash is OnCrash.CLOSED or len(policy.helper.queue) > 1:
        return {Backend.BORROWED}
    return set(INSPECTED)


def _borrowed(idle: Collection[str] | None) -> Offer:
    return _queued(Backend.BORROWED, idle) or _attached(Backend.BORROWED, idle)


def _cthelper(idle: Collection[str] | None) -> Offer:
    return _queued(Backend.CTHELPER, idle) or _registrable(idle)


def _kernel(idle: Collection[str] | None) -> Offer:
    """Its rules have the kernel load the helper; what rewrites for it under NAT nobody loads."""
    if idle is None:
        _modprobe("nf_nat_ftp")
    return _attached(Backend.KERNEL, idle)


def _queued(backend: Backend, idle: Collection[str] | None) -> Offer | None:
    """The refusal where the kernel has no NFQUEUE, which both inspected backends need."""
    if "nfnetlink_queue" in (idle or ()):
        return None
    if idle is None and not NFQUEUE_PROC.exists():
        _modprobe("nfnetlink_queue")
    if NFQUEUE_PROC.exists():
        return None
    mend = 'modprobe nfnetlink_queue, or backend = "kernel"'
    return Offer(backend, False, "the kernel has no NFQUEUE", mend)


def _modprobe(module: str) -> None:
    """Load a module, where there is one and we may."""
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "--quiet", module], capture_output=True, check=False)


def _registrable(idle: Collection[str] | None) -> Offer:
    if "nfnetlink_cthelper" in (idle or ()):
        return Offer(Backend.CTHELPER, True, "nfnetlink_cthelper is there when loaded")
    try:
        cthelper.registered()
    except KernelError as error:
        return Offer(Backend.CTHELPER, False, error.what, error.mend or MODPROBE_CTHELPER)
    return Offer(Backend.CTHELPER, True, "nfnetlink_cthelper answers")


def _attached(backend: Backend, idle: Collection[str] | None) -> Offer:
    """Ask the kernel with a rule, in a network namespace that ends with the question."""
    name, module = HELPER_NAME[backend], HELPER_MODULE[backend]
    if not has_capability(CAP_NET_ADMIN):
        return Offer(backend, False, "not known without CAP_NET_ADMIN", "run it with sudo")
    if not TRIED_WITH.isdisjoint(idle or ()) or module in (idle or ()):
        return Offer(backend, True, f"the kernel's helper {name!r} is there when loaded")
    if not _can_unshare():
        return _not_tried(backend, module)
    if attachable(name):
        return Offer(backend, True, f"the kernel's helper {name!r} can be attached")
    why = f"the kernel's helper {name!r} cannot be attached"
    return Offer(backend, False, why, f"modprobe {module}")


def _not_tried(backend: Backend, module: str) -> Offer:
    """Without a network namespace to try it in.

    Root's rules have the kernel load the module, if there is one. Any other user comes
    after them, so what is not there by then was not what root's ``auto`` took.
    """
    usable = os.geteuid() == 0 or Path(LOADED_MODULES, module).exists()
    why = "not tried: no network namespace can be made here"
    return Offer(backend, usable, why, f"modprobe {module}, or have root apply the rules first")


def _can_unshare() -> bool:
    argv = ["unshare", "--net", "true"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(argv, capture_output=True, check=False).returncode == 0
    )


def attachable(helper: str) -> bool:
    """Whether a rule can attach the conntrack helper ``helper``, by trial in a new namespace."""
    rule = f"-t raw -A PREROUTING -p tcp --dport 21 -j CT --helper {helper}".split()
    programs = [name for name in ("iptables-legacy", "iptables-nft") if shutil.which(name)]
    asked = (["unshare", "--net", name, *rule] for name in programs)
    return any(
        subprocess.run(argv, capture_output=True, check=False).returncode == 0 for argv in asked
    )
