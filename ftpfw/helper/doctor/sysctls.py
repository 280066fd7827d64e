"""Settings of the kernel: forwarding, rp_filter, conntrack's tables and accounting, bridges.

Spec: Documentation/networking/ip-sysctl.rst and nf_conntrack-sysctl.rst of the kernel. Keys
are paths below /proc/sys.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ftpfw.helper.doctor.finding import Finding, note

Settings = Mapping[str, int]

ACCOUNTING = "net/netfilter/nf_conntrack_acct"
AUTOMATIC = "net/netfilter/nf_conntrack_helper"
BRIDGED = ("net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables")
TABLES = (
    ("conntrack table", "net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max"),
    ("expectation table", "", "net/netfilter/nf_conntrack_expect_max"),
)
FORWARDING = (
    ("IPv4 forwarding", "net/ipv4/ip_forward"),
    ("IPv6 forwarding", "net/ipv6/conf/all/forwarding"),
)
FULL = 0.9
STRICT = 1


@dataclass(frozen=True, slots=True)
class Routing:
    """The interfaces, and which of them routes to everywhere use.

    ``by_rule``: rules choose among routing tables by more than the destination. ``known``: the
    program ip was there to say so.
    """

    interfaces: tuple[str, ...] = ()
    bridges: tuple[str, ...] = ()
    default_routes: frozenset[str] = frozenset()
    by_rule: bool = False
    global_ipv6: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class Mention:
    """A line of a configuration file that asks for automatic helpers."""

    path: str
    line: int


def set_to(key: str, value: int) -> str:
    """The command; a name with a dot in it (``eth0.100``) wants slashes between the others."""
    name = key if "." in key else key.replace("/", ".")
    return shlex.join(["sysctl", "-w", f"{name}={value}"])


COUNT_BYTES = set_to(ACCOUNTING, 1)


def judge_forwarding(settings: Settings, routing: Routing) -> Iterator[Finding]:
    """What is off for all, and IPv4 interfaces for which it is off."""
    for subject, key in FORWARDING:
        value = settings.get(key)
        if value is None:
            continue
        unused = "IPv6" in subject and not routing.global_ipv6
        why = "no address here needs it" if unused else "this host is no gateway"
        found = "on" if value else f"off: {why}"
        yield note(subject, value != 0 or unused, found, set_to(key, 1))
    for name in routing.interfaces if settings.get(FORWARDING[0][1]) else ():
        key = f"net/ipv4/conf/{name}/forwarding"
        if settings.get(key) == 0 and name != "lo":
            yield note(
                f"IPv4 forwarding {name}",
                False,
                f"off: what arrives on {name} goes no further",
                set_to(key, 1),
            )


def judge_reverse_path(settings: Settings, routing: Routing) -> Iterator[Finding]:
    """Strict rp_filter where answers may come in by another interface than requests leave by.

    The kernel takes the maximum of ``all`` and the interface's: 0 off, 1 strict, 2 loose. With
    one way to everywhere, strict is right.
    """
    several = len(routing.default_routes) > 1
    uplinks = sorted(routing.default_routes) if several or routing.by_rule else []
    strict = [name for name in uplinks if _reverse_path(settings, name) == STRICT]
    why = "there are several default routes" if several else "routing rules choose the way"
    for name in strict:
        yield note(
            f"rp_filter {name}",
            False,
            f"strict, but {why}: a packet is dropped where its answer would leave by"
            " another interface",
            set_to(f"net/ipv4/conf/{name}/rp_filter", 2),
        )
    if not strict and routing.known:
        yield note("rp_filter", True, "not in the way")


def _reverse_path(settings: Settings, name: str) -> int:
    return max(settings.get(f"net/ipv4/conf/{one}/rp_filter", 0) for one in ("all", name))


def judge_conntrack(
    settings: Settings, expectations: int | None, writable: bool
) -> Iterator[Finding]:
    """Accounting, and how full both tables are; their limits are the initial namespace's."""
    counts = settings.get(ACCOUNTING)
    if counts is not None:
        found = "on" if counts else "off: transfer logs have no bytes"
        yield note("conntrack accounting", counts != 0, found, COUNT_BYTES)
    for subject, used_key, key in TABLES:
        used = settings.get(used_key) if used_key else expectations
        limit = settings.get(key)
        if used is None or not limit:
            continue
        enter = "" if writable else "nsenter --target 1 --net "
        yield note(
            subject,
            used < limit * FULL,
            f"{used} of {limit} entries used",
            enter + set_to(key, limit * 2),
        )


def judge_automatic(
    settings: Settings, mentions: tuple[Mention, ...], conntrack: bool
) -> Iterator[Finding]:
    """Helpers that the kernel attaches by itself: a sysctl until Linux 6.0, then gone."""
    subject = "automatic helpers"
    value = settings.get(AUTOMATIC)
    if value:
        found = "on: the kernel attaches its own FTP helper to port 21 where no rule attaches one"
        yield note(subject, False, found, set_to(AUTOMATIC, 0))
    elif value == 0:
        yield note(subject, True, "off")
    elif conntrack and mentions:
        for mention in mentions:
            yield note(
                subject,
                False,
                f"{mention.path}:{mention.line} sets nf_conntrack_helper, which Linux 6.0"
                " removed: it attaches nothing, only rules do",
                shlex.join(["sed", "-i", f"{mention.line}s/^/#/", mention.path]),
            )
    elif conntrack:
        yield note(subject, True, "none since Linux 6.0: only rules attach them")


def judge_bridges(settings: Settings, routing: Routing) -> Iterator[Finding]:
    """Bridged packets that pass the rules of iptables too."""
    there = [key for key in BRIDGED if key in settings] if routing.bridges else []
    on = [key for key in there if settings[key]]
    if on:
        bridges = ", ".join(routing.bridges)
        yield note(
            "bridge-nf-call",
            False,
            f"on: what {bridges} bridges passes iptables too, and twice where it is routed as"
            " well (Docker and Kubernetes may want that)",
            " && ".join(set_to(key, 0) for key in on),
        )
    elif there:
        yield note("bridge-nf-call", True, "off")
