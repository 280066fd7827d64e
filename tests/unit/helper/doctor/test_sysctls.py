"""Settings of the kernel, and what doctor makes of them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ftpfw.helper.doctor.finding import Finding
from ftpfw.helper.doctor.sysctls import (
    Mention,
    Routing,
    Settings,
    judge_automatic,
    judge_bridges,
    judge_conntrack,
    judge_forwarding,
    judge_reverse_path,
    set_to,
)
from tests.unit.table import table

TWO_WAYS = Routing(("eth0", "eth1", "lo"), default_routes=frozenset({"eth0", "eth1"}))
ONE_WAY = Routing(("eth0", "eth1", "lo"), default_routes=frozenset({"eth0"}))
BY_RULE = Routing(("eth0",), default_routes=frozenset({"eth0"}), by_rule=True)


def wrong(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Subject and mend of what is not ok; none of it keeps anybody from loading."""
    found = list(findings)
    assert not any(finding.needed for finding in found)
    return [(finding.subject, finding.mend) for finding in found if not finding.ok]


def reverse_path(**values: int) -> Settings:
    return {f"net/ipv4/conf/{name}/rp_filter": value for name, value in values.items()}


LOOSE_0 = ("rp_filter eth0", "sysctl -w net.ipv4.conf.eth0.rp_filter=2")
LOOSE_1 = ("rp_filter eth1", "sysctl -w net.ipv4.conf.eth1.rp_filter=2")
REVERSE_PATH = [
    # id, settings, routing, wrong
    ("off", reverse_path(all=0, eth0=0, eth1=0), TWO_WAYS, []),
    ("strict on one of two", reverse_path(all=0, eth0=1, eth1=0), TWO_WAYS, [LOOSE_0]),
    ("strict for all", reverse_path(all=1, eth0=0, eth1=0), TWO_WAYS, [LOOSE_0, LOOSE_1]),
    ("loose there", reverse_path(all=1, eth0=2, eth1=0), TWO_WAYS, [LOOSE_1]),
    ("loose for all wins", reverse_path(all=2, eth0=1, eth1=1), TWO_WAYS, []),
    ("strict with one way", reverse_path(all=1, eth0=1, eth1=1), ONE_WAY, []),
    ("strict beside rules", reverse_path(all=0, eth0=1), BY_RULE, [LOOSE_0]),
]


@pytest.mark.parametrize(("settings", "routing", "expected"), **table(REVERSE_PATH))
def test_reverse_path(
    settings: Settings, routing: Routing, expected: list[tuple[str, str]]
) -> None:
    assert wrong(judge_reverse_path(settings, routing)) == expected


def test_routes_that_were_not_read_are_not_called_fine() -> None:
    assert not list(judge_reverse_path(reverse_path(all=1), Routing(known=False)))


IPV4, IPV6 = "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"
FORWARDING = [
    # id, settings, IPv6 addresses, wrong
    ("on", {IPV4: 1, IPV6: 1}, True, []),
    ("IPv4 off", {IPV4: 0, IPV6: 1}, True, [("IPv4 forwarding", set_to(IPV4, 1))]),
    ("IPv6 off", {IPV4: 1, IPV6: 0}, True, [("IPv6 forwarding", set_to(IPV6, 1))]),
    ("IPv6 off, unused", {IPV4: 1, IPV6: 0}, False, []),
    ("no IPv6", {IPV4: 1}, False, []),
    (
        "off for one interface",
        {IPV4: 1, "net/ipv4/conf/eth1/forwarding": 0, "net/ipv4/conf/lo/forwarding": 0},
        False,
        [("IPv4 forwarding eth1", "sysctl -w net.ipv4.conf.eth1.forwarding=1")],
    ),
    (
        "off, and so for all",
        {IPV4: 0, "net/ipv4/conf/eth1/forwarding": 0},
        False,
        [("IPv4 forwarding", "sysctl -w net.ipv4.ip_forward=1")],
    ),
]


@pytest.mark.parametrize(("settings", "ipv6", "expected"), **table(FORWARDING))
def test_forwarding(settings: Settings, ipv6: bool, expected: list[tuple[str, str]]) -> None:
    routing = Routing(("eth0", "eth1", "lo"), global_ipv6=ipv6)
    assert wrong(judge_forwarding(settings, routing)) == expected


COUNT, MAX = "net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max"
EXPECT_MAX = "net/netfilter/nf_conntrack_expect_max"
ACCT = "net/netfilter/nf_conntrack_acct"
CONNTRACK = [
    # id, settings, expectations, limits to be set here, wrong
    ("fine", {COUNT: 1, MAX: 100, EXPECT_MAX: 100, ACCT: 1}, 3, True, []),
    ("no conntrack yet", {}, None, False, []),
    ("not counted", {ACCT: 0}, 0, True, [("conntrack accounting", f"{ACCT}=1")]),
    ("nearly full", {COUNT: 90, MAX: 100}, 0, True, [("conntrack table", f"{MAX}=200")]),
    ("not quite", {COUNT: 89, MAX: 100}, 0, True, []),
    ("unlimited", {COUNT: 89, MAX: 0}, 0, True, []),
    (
        "expectations, in a namespace",
        {EXPECT_MAX: 128},
        128,
        False,
        [("expectation table", f"{EXPECT_MAX}=256")],
    ),
    ("expectations, not known", {EXPECT_MAX: 128}, None, True, []),
]


@pytest.mark.parametrize(("settings", "expectations", "writable", "expected"), **table(CONNTRACK))
def test_conntrack(
    settings: Settings,
    expectations: int | None,
    writable: bool,
    expected: list[tuple[str, str]],
) -> None:
    start = "sysctl -w " if writable else "nsenter --target 1 --net sysctl -w "
    mended = [(subject, start + key.replace("/", ".")) for subject, key in expected]
    assert wrong(judge_conntrack(settings, expectations, writable)) == mended


AUTOMATIC = "net/netfilter/nf_conntrack_helper"
MENTIONED = (Mention("/etc/sysctl.d/my ftp.conf", 3),)
HELPERS = [
    # id, settings, lines of configuration, wrong
    ("old and off", {AUTOMATIC: 0}, (), []),
    ("old and on", {AUTOMATIC: 1}, MENTIONED, [f"sysctl -w {AUTOMATIC}=0".replace("/", ".")]),
    ("removed", {}, (), []),
    ("removed, relied on", {}, MENTIONED, ["sed -i '3s/^/#/' '/etc/sysctl.d/my ftp.conf'"]),
]


@pytest.mark.parametrize(("settings", "mentions", "mends"), **table(HELPERS))
def test_automatic_helpers(
    settings: Settings, mentions: tuple[Mention, ...], mends: list[str]
) -> None:
    assert [mend for _, mend in wrong(judge_automatic(settings, mentions, True))] == mends


def test_without_conntrack_nothing_is_said_of_its_settings() -> None:
    assert not list(judge_automatic({}, MENTIONED, False))


CALL4, CALL6 = "net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"
BRIDGES = [
    # id, settings, bridges, mend
    ("no bridge", {CALL4: 1, CALL6: 1}, (), None),
    ("no br_netfilter", {}, ("br0",), None),
    ("off", {CALL4: 0, CALL6: 0}, ("br0",), None),
    (
        "on",
        {CALL4: 1, CALL6: 1},
        ("br0",),
        "sysctl -w net.bridge.bridge-nf-call-iptables=0"
        " && sysctl -w net.bridge.bridge-nf-call-ip6tables=0",
    ),
    ("half on", {CALL4: 0, CALL6: 1}, ("br0",), "sysctl -w net.bridge.bridge-nf-call-ip6tables=0"),
]


@pytest.mark.parametrize(("settings", "bridges", "mend"), **table(BRIDGES))
def test_bridges(settings: Settings, bridges: tuple[str, ...], mend: str | None) -> None:
    mends = [found for _, found in wrong(judge_bridges(settings, Routing(bridges=bridges)))]
    assert mends == ([mend] if mend else [])


COMMANDS = [
    ("net/ipv4/ip_forward", "sysctl -w net.ipv4.ip_forward=1"),
    ("net/ipv4/conf/eth0.100/rp_filter", "sysctl -w net/ipv4/conf/eth0.100/rp_filter=1"),
    ("net/ipv4/conf/a;b/rp_filter", "sysctl -w 'net.ipv4.conf.a;b.rp_filter=1'"),
]


@pytest.mark.parametrize(("key", "command"), COMMANDS)
def test_commands_name_any_interface(key: str, command: str) -> None:
    assert set_to(key, 1) == command
