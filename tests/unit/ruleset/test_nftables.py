"""What nftables is told: a line of the model as nft has it, and the samples as a whole."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

import pytest

from ftpfw.conntrack.model import Direction
from ftpfw.ruleset.compile import compile_families, compile_policy
from ftpfw.ruleset.model import (
    Accept,
    Action,
    AttachHelper,
    Builtin,
    Chain,
    DestinationNat,
    Drop,
    Family,
    Hook,
    Masquerade,
    Match,
    PortRange,
    Position,
    Protocol,
    Queue,
    Return,
    Rule,
    RuleSet,
    SetZone,
    Share,
    SourceNat,
    State,
    Table,
    Text,
)
from ftpfw.ruleset.nftables import BASES, WHYS, render_nftables, render_table
from ftpfw.ruleset.policy import Backend
from ftpfw.ruleset.policy_file import read_policy
from tests.unit.table import table

from .many import many_servers
from .samples import MINIMAL, NAMES, RULES, backends, sample

NET = ip_network("10.0.1.0/24")
HOST = ip_network("192.0.2.1")
TCP = Protocol.TCP

RENDERED: list[tuple[str, Match, Action, Family, str]] = [
    ("nothing asked", Match(), Accept(), Family.IPV4, "meta nfproto ipv4 counter accept"),
    (
        "addresses and interfaces",
        Match(in_interface="eth1", out_interface="eth0", source=NET, destination=HOST),
        Drop(),
        Family.IPV4,
        'iifname "eth1" oifname "eth0" ip saddr 10.0.1.0/24 ip daddr 192.0.2.1 counter drop',
    ),
    (
        "everywhere",
        Match(source=ip_network("::/0"), in_interface="a"),
        Accept(),
        Family.IPV6,
        'iifname "a" meta nfproto ipv6 counter accept',
    ),
    (
        "ports and a SYN",
        Match(protocol=TCP, sport=PortRange(20, 20), dport=PortRange(1024, 65535), syn=True),
        Accept(),
        Family.IPV4,
        "meta nfproto ipv4 tcp sport 20 tcp dport 1024-65535"
        " tcp flags & (fin | syn | rst | ack) == syn counter accept",
    ),
    (
        "any but a SYN",
        Match(protocol=TCP, dport=PortRange(21, 21), syn=False, states=State.NEW),
        Drop(),
        Family.IPV4,
        "meta nfproto ipv4 tcp dport 21 tcp flags & (fin | syn | rst | ack) != syn ct state new"
        " counter drop",
    ),
    (
        "connection",
        Match(
            protocol=TCP,
            states=State.NEW | State.RELATED,
            direction=Direction.REPLY,
            orig_source=NET,
            orig_destination=HOST,
            orig_dport=PortRange(21, 21),
            helper="sane",
        ),
        Accept(),
        Family.IPV4,
        "meta l4proto tcp ct original ip saddr 10.0.1.0/24 ct original ip daddr 192.0.2.1"
        " ct original proto-dst 21 ct state new,related ct direction reply"
        ' ct helper "sane" counter accept',
    ),
    (
        "an error about a connection",
        Match(protocol=Protocol.ICMP, tracked_protocol=TCP, states=State.RELATED),
        Accept(),
        Family.IPV6,
        "meta nfproto ipv6 meta l4proto ipv6-icmp ct state related ct protocol tcp counter accept",
    ),
    (
        "what turned to TLS",
        Match(protocol=TCP, connmark=0x4, text=Text.UNCLEAR),
        Return(),
        Family.IPV4,
        "meta nfproto ipv4 meta l4proto tcp ct mark & 0x4 == 0x4 jump ftpfw-opaque",
    ),
    (
        "a share of the segments with data",
        Match(protocol=TCP, share=Share(1, 4), text=Text.SOME),
        Queue(3, bypass=True),
        Family.IPV6,
        "meta nfproto ipv6 meta l4proto tcp jhash ct original ip6 saddr mod 4 seed 0x0 1"
        " @ih,0,8 >= 0x0 counter queue flags bypass to 3",
    ),
    (
        "queue and wait",
        Match(source=NET),
        Queue(0, bypass=False),
        Family.IPV4,
        "ip saddr 10.0.1.0/24 counter queue to 0",
    ),
    (
        "zone",
        Match(in_interface="eth0"),
        SetZone(7),
        Family.IPV4,
        'iifname "eth0" meta nfproto ipv4 counter ct zone set 7',
    ),
    (
        "masquerade",
        Match(source=NET),
        Masquerade(),
        Family.IPV4,
        "ip saddr 10.0.1.0/24 counter masquerade",
    ),
    (
        "SNAT",
        Match(source=NET),
        SourceNat(ip_address("192.0.2.1")),
        Family.IPV4,
        "ip saddr 10.0.1.0/24 counter snat ip to 192.0.2.1",
    ),
    (
        "DNAT",
        Match(destination=ip_network("2001:db8::1")),
        DestinationNat(ip_address("fd00::1")),
        Family.IPV6,
        "ip6 daddr 2001:db8::1 counter dnat ip6 to fd00::1",
    ),
]

FORWARD = Hook(Table.FILTER, Builtin.FORWARD, "ftpfw-forward", Position.FIRST, "For tests.")
RAW = Hook(Table.RAW, Builtin.PREROUTING, "ftpfw-raw", Position.FIRST, "For tests.")


def ruleset(*rules: Rule, hook: Hook = FORWARD, family: Family = Family.IPV4) -> RuleSet:
    return RuleSet(family, (Chain(hook.chain, hook.table, rules),), (hook,))


def block(text: str, name: str) -> list[str]:
    """The lines of a block, stripped."""
    found = re.search(rf"^\t{name} {{\n((?:\t\t.*\n)*)\t}}", text, re.MULTILINE)
    assert found, text
    return [line.strip() for line in found[1].splitlines()]


@pytest.mark.parametrize(("match", "action", "family", "text"), **table(RENDERED))
def test_a_rule(match: Match, action: Action, family: Family, text: str) -> None:
    rendered = render_table([ruleset(Rule(match, action, "Why."), family=family)])
    head, why, line = block(rendered, "chain ftpfw-forward")
    assert head == f"{BASES['ftpfw-forward']}; policy accept;"
    assert (why, line) == ("# Why.", text)


def test_rules_that_differ_in_addresses_are_one_with_a_set() -> None:
    rules = [
        Rule(Match(source=ip_network(f"10.0.0.{number}"), in_interface="a"), Accept(), f"{number}.")
        for number in (1, 2)
    ]
    text = render_table([ruleset(*rules)])
    assert block(text, "chain ftpfw-forward")[1:] == [
        "# 1.",
        "# 2.",
        'iifname "a" ip saddr @hosts-1 counter accept',
    ]
    assert block(text, "set hosts-1")[:2] == ["type ipv4_addr", "elements = {"]


def test_targets_are_a_map() -> None:
    rules = [
        Rule(
            Match(destination=ip_network(f"192.0.2.{number}"), protocol=TCP, dport=ports),
            DestinationNat(ip_address(f"10.0.0.{number}")),
            "Why.",
        )
        for number, ports in ((1, PortRange(21, 21)), (2, PortRange(50, 60)))
    ]
    text = render_table([ruleset(*rules)])
    line = "counter dnat ip to ip daddr . tcp dport map @hosts-ports-1"
    assert block(text, "chain ftpfw-forward")[1:] == ["# Why.", line]
    assert block(text, "map hosts-ports-1") == [
        "type ipv4_addr . inet_service : ipv4_addr",
        "flags interval",
        "elements = {",
        "192.0.2.1 . 21 : 10.0.0.1,",
        "192.0.2.2 . 50-60 : 10.0.0.2",
        "}",
    ]


def test_what_both_families_ask_is_asked_once() -> None:
    rule = Rule(Match(in_interface="a", protocol=Protocol.ICMP), Drop(), "Why.")
    text = render_table([ruleset(rule, family=family) for family in Family])
    line = 'iifname "a" meta l4proto { icmp, ipv6-icmp } counter drop'
    assert block(text, "chain ftpfw-forward")[1:] == ["# Why.", line]


def test_a_helper_is_attached_behind_the_lookup_and_its_zone_set_ahead() -> None:
    match = Match(protocol=TCP, dport=PortRange(21, 21))
    attach = Rule(match, AttachHelper("ftp", 7), "Control connections get it.")
    here = Rule(Match(in_interface="eth0"), SetZone(7), "Zone.")
    on_zoned = Rule(Match(in_interface="eth0", protocol=TCP), AttachHelper("ftp", 7), "They too.")
    text = render_table([ruleset(attach, on_zoned, here, hook=RAW)])
    assert block(text, "ct helper ftp") == ['type "ftp" protocol tcp']
    assert block(text, "chain ftpfw-raw")[1:] == [
        "# Control connections get it, and the conntrack zone 7.",
        "meta nfproto ipv4 tcp dport 21 counter ct zone set 7",
        "# Zone.",
        'iifname "eth0" meta nfproto ipv4 counter ct zone set 7',
    ]
    assert block(text, "chain ftpfw-helper")[1::2] == [
        "# Control connections get it.",
        "# They too.",
    ]
    assert "ct state new" in block(text, "chain ftpfw-helper")[2]


def test_the_administrator_s_chain_stands_ahead_of_the_drops() -> None:
    text = render_nftables(compile_families(read_policy(MINIMAL, "p.toml"), "kernel"))
    lines = block(text, "chain ftpfw-forward")
    at = lines.index("jump ftpfw-yours")
    assert all(line.startswith("#") or line.endswith("drop") for line in lines[at + 1 :])
    assert not any(line.endswith("drop") and "invalid" not in line for line in lines[:at])
    assert block(text, "chain ftpfw-yours") == []


def test_no_client_no_table() -> None:
    assert render_table([]) == render_table([RuleSet(Family.IPV4)]) == ""


def test_of_many_sentences_the_first_are_written() -> None:
    text = render_table(compile_families(read_policy(many_servers(40), "many.toml"), "kernel"))
    assert f"# And {40 - WHYS} more like these." in text
    assert len(text.splitlines()) < 1000


def test_the_chains_are_all_that_rules_can_be_in() -> None:
    policy = sample("published-server-ipv6")
    for backend in backends(policy):
        for family in Family:
            for chain in compile_policy(policy, backend, family).chains:
                assert chain.name in BASES or chain.name == "ftpfw-drop"


CASES = [
    (f"{name}.{backend}.nftables", name, backend)
    for name in NAMES
    for backend in backends(sample(name))
]


@pytest.mark.parametrize(("file", "name", "backend"), **table([(c[0], *c) for c in CASES]))
def test_golden(file: str, name: str, backend: Backend, update_golden: bool) -> None:
    text = render_nftables(compile_families(sample(name), backend))
    if update_golden:
        (RULES / file).write_text(text)
    assert (RULES / file).read_text() == text


def test_every_golden_file_is_tested() -> None:
    assert {path.name for path in RULES.glob("*.nftables")} == {case[0] for case in CASES}
