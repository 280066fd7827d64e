"""Looks at everything and has it judged, in the order in which findings are reported."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.errors import FtpfwError
from ftpfw.helper.backends import HELPER_MODULE, INSPECTED, NFQUEUE_PROC, Offer, offers
from ftpfw.helper.doctor import facts
from ftpfw.helper.doctor.attached import judge_attached
from ftpfw.helper.doctor.finding import Finding, note
from ftpfw.helper.doctor.flowtables import judge_flowtables
from ftpfw.helper.doctor.modules import (
    Modules,
    Presence,
    judge_extensions,
    judge_modules,
    judge_nft_queue,
    mend_missing,
)
from ftpfw.helper.doctor.packages import (
    Distribution,
    judge_bindings,
    judge_iptables,
    judge_programs,
)
from ftpfw.helper.doctor.rulesets import judge_rulesets
from ftpfw.helper.doctor.sysctls import (
    ACCOUNTING,
    judge_automatic,
    judge_bridges,
    judge_conntrack,
    judge_forwarding,
    judge_reverse_path,
)
from ftpfw.helper.privileges import CAP_NET_ADMIN, has_capability

WHOLE_ID_RANGE = 4294967295


def examine() -> tuple[list[Finding], list[Offer]]:
    """Look at everything; the second part is what each backend finds here."""
    source, modules = facts.find_distribution(), facts.find_modules()
    found = list(offers(modules.idle))
    expectations, answer = _ctnetlink(modules, source)
    findings = [
        *_host(),
        *_programs(modules, source),
        *_queue(modules, source),
        answer,
        *_backends(found, modules, source),
        *_extensions(modules, found, source),
        *_rules(modules, source),
        *_settings(expectations),
    ]
    return findings, found


def _host() -> Iterator[Finding]:
    yield Finding("kernel", True, f"{platform.system()} {platform.release()}")
    admin = has_capability(CAP_NET_ADMIN)
    yield Finding("CAP_NET_ADMIN", admin, "held" if admin else "missing", "run it with sudo")
    initial = _is_initial_user_namespace()
    other = "not the initial one, and kernels from 2026 on drop packets that are rewritten here"
    mend = "run ftpfw in the initial user namespace"
    yield note("user namespace", initial, "the initial one" if initial else other, mend)


def _programs(modules: Modules, source: Distribution) -> Iterator[Finding]:
    programs = facts.find_programs()
    yield from judge_iptables(programs, facts.find_kernel_halves(modules), source)
    yield from judge_programs(programs, source)
    yield from judge_bindings(facts.find_bindings_fault(), sys.executable, source)


def _queue(modules: Modules, source: Distribution) -> Iterator[Finding]:
    if NFQUEUE_PROC.exists():
        yield Finding("NFQUEUE", True, "there")
    elif modules.presence("nfnetlink_queue") is Presence.IDLE:
        yield Finding("NFQUEUE", True, "there when loaded")
    else:
        missing = modules.presence("nfnetlink_queue") is Presence.MISSING
        mend = mend_missing("nfnetlink_queue", modules, source) if missing else ""
        yield Finding("NFQUEUE", False, "missing", mend or "modprobe nfnetlink_queue")


def _ctnetlink(modules: Modules, source: Distribution) -> tuple[int | None, Finding]:
    """How many expectations there are, and whether the kernel said so."""
    match modules.presence("nf_conntrack_netlink"):
        case Presence.IDLE:
            return None, Finding("ctnetlink", True, "there when loaded")
        case Presence.MISSING:
            mend = mend_missing("nf_conntrack_netlink", modules, source)
            return None, Finding("ctnetlink", False, "missing", mend)
    try:
        with Ctnetlink() as kernel:
            return len(kernel.list_expectations()), Finding("ctnetlink", True, "answers")
    except FtpfwError as error:
        mend = error.mend or "modprobe nf_conntrack_netlink"
        return None, Finding("ctnetlink", False, error.what, mend)


def _backends(found: list[Offer], modules: Modules, source: Distribution) -> Iterator[Finding]:
    """What each backend finds; where its module is missing, the kernel need not say why."""
    some = any(offer.usable for offer in found if offer.backend in INSPECTED)
    for offer in found:
        subject, module = f"backend {offer.backend}", HELPER_MODULE[offer.backend]
        needed = offer.backend in INSPECTED and not some
        if offer.usable or modules.presence(module) is not Presence.MISSING:
            yield Finding(subject, offer.usable, offer.why, offer.mend, needed)
        else:
            mend = mend_missing(module, modules, source)
            yield Finding(subject, False, f"this kernel has no {module}", mend, needed)


def _extensions(modules: Modules, found: list[Offer], source: Distribution) -> Iterator[Finding]:
    auto = next((o.backend for o in found if o.usable and o.backend in INSPECTED), None)
    extensions = facts.find_extensions(modules, may_try=has_capability(CAP_NET_ADMIN))
    yield from judge_extensions(modules, extensions, auto, source)
    yield from judge_nft_queue(modules, facts.try_nft_queue(modules), source)
    yield from judge_modules(modules, extensions)


def _rules(modules: Modules, source: Distribution) -> Iterator[Finding]:
    if not has_capability(CAP_NET_ADMIN):
        return
    rules = facts.find_rules(modules, source)
    yield from judge_rulesets(rules)
    yield from judge_attached(rules)
    yield from judge_flowtables(rules)


def _settings(expectations: int | None) -> Iterator[Finding]:
    routing = facts.find_routing()
    settings = facts.find_settings(routing.interfaces)
    tracked = ACCOUNTING in settings
    yield from judge_automatic(settings, facts.find_mentions(), tracked)
    yield from judge_forwarding(settings, routing)
    yield from judge_reverse_path(settings, routing)
    yield from judge_bridges(settings, routing)
    yield from judge_conntrack(settings, expectations, facts.find_limits_writable())


def _is_initial_user_namespace() -> bool:
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", str(WHOLE_ID_RANGE)]
