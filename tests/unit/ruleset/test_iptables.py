import re
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path

import pytest

from ftpfw.conntrack.model import Direction
from ftpfw.ruleset.iptables import Extension, Option, XtRule, parse_rule, to_xtables
from ftpfw.ruleset.model import (
    Accept,
    Action,
    AttachHelper,
    DestinationNat,
    Drop,
    Family,
    Jump,
    Masquerade,
    Match,
    PortRange,
    Protocol,
    Queue,
    Return,
    SetZone,
    Share,
    SourceNat,
    State,
    Text,
)
from ftpfw.ruleset.policy import Backend
from tests.unit.ruleset.samples import CASES, EXTENSION, RULES, compiled, rendered
from tests.unit.table import table

NET = ip_network("10.0.1.0/24")
NET6 = ip_network("fd00::/64")

RENDERED: list[tuple[str, Match, Action, Family, str]] = [
    ("nothing asked", Match(), Accept(), Family.IPV4, "-j ACCEPT"),
    (
        "basics in order",
        Match(
            protocol=Protocol.TCP,
            out_interface="eth0",
            in_interface="eth1",
            destination=ip_network("192.0.2.1"),
            source=NET,
        ),
        Drop(),
        Family.IPV4,
        "-s 10.0.1.0/24 -d 192.0.2.1/32 -i eth1 -o eth0 -p tcp -j DROP",
    ),
    ("everywhere", Match(source=ip_network("0.0.0.0/0")), Accept(), Family.IPV4, "-j ACCEPT"),
    (
        "port",
        Match(protocol=Protocol.TCP, dport=PortRange(21, 21)),
        AttachHelper("sane"),
        Family.IPV4,
        "-p tcp -m tcp --dport 21 -j CT --helper sane",
    ),
    (
        "TCP in order",
        Match(
            protocol=Protocol.TCP, syn=True, dport=PortRange(5000, 5001), sport=PortRange(21, 21)
        ),
        Queue(1, True),
        Family.IPV4,
        "-p tcp -m tcp --sport 21 --dport 5000:5001 --tcp-flags FIN,SYN,RST,ACK SYN"
        " -j NFQUEUE --queue-num 1 --queue-bypass",
    ),
    (
        "any but a SYN",
        Match(protocol=Protocol.TCP, syn=False, states=State.NEW),
        Drop(),
        Family.IPV4,
        "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP",
    ),
    (
        "a bit of the connmark",
        Match(connmark=0x40000000, states=State.ESTABLISHED),
        Return(),
        Family.IPV4,
        "-m connmark --mark 0x40000000/0x40000000 -m conntrack --ctstate ESTABLISHED -j RETURN",
    ),
    (
        "helper and zone",
        Match(),
        AttachHelper("sane", 7),
        Family.IPV4,
        "-j CT --helper sane --zone 7",
    ),
    (
        "zone",
        Match(in_interface="eth0"),
        SetZone(65535),
        Family.IPV6,
        "-i eth0 -j CT --zone 65535",
    ),
    (
        "DNAT",
        Match(destination=ip_network("2001:db8::1")),
        DestinationNat(ip_address("fd00::9")),
        Family.IPV6,
        "-d 2001:db8::1/128 -j DNAT --to-destination fd00::9",
    ),
    (
        "conntrack in order",
        Match(
            direction=Direction.REPLY,
            orig_dport=PortRange(1024, 65535),
            orig_source=NET,
            orig_destination=ip_network("192.0.2.1"),
            tracked_protocol=Protocol.TCP,
            states=State.ESTABLISHED | State.NEW | State.RELATED | State.INVALID,
        ),
        Jump("ftpfw-x"),
        Family.IPV4,
        "-m conntrack --ctstate INVALID,NEW,RELATED,ESTABLISHED --ctproto 6"
        " --ctorigsrc 10.0.1.0/24 --ctorigdst 192.0.2.1 --ctorigdstport 1024:65535"
        " --ctdir REPLY -j ftpfw-x",
    ),
    (
        "one original host",
        Match(orig_source=ip_network("10.0.1.5"), direction=Direction.ORIGINAL),
        Accept(),
        Family.IPV4,
        "-m conntrack --ctorigsrc 10.0.1.5 --ctdir ORIGINAL -j ACCEPT",
    ),
    (
        "any original host",
        Match(orig_source=ip_network("::/0"), helper="sane"),
        Accept(),
        Family.IPV6,
        "-m helper --helper sane -j ACCEPT",
    ),
    (
        "a share of the connections",
        Match(share=Share(2, 3), states=State.ESTABLISHED, helper="sane"),
        Accept(),
        Family.IPV4,
        "-m conntrack --ctstate ESTABLISHED -m cluster --cluster-local-nodemask 0x00000004"
        " --cluster-total-nodes 3 --cluster-hash-seed 0x00000000 -m helper --helper sane -j ACCEPT",
    ),
    ("ICMP", Match(protocol=Protocol.ICMP), Drop(), Family.IPV4, "-p icmp -j DROP"),
    ("ICMPv6", Match(protocol=Protocol.ICMP), Drop(), Family.IPV6, "-p ipv6-icmp -j DROP"),
    ("queue", Match(), Queue(3, False), Family.IPV4, "-j NFQUEUE --queue-num 3"),
    (
        "queue with bypass",
        Match(),
        Queue(0, True),
        Family.IPV4,
        "-j NFQUEUE --queue-num 0 --queue-bypass",
    ),
    ("masquerade", Match(source=NET6), Masquerade(), Family.IPV6, "-s fd00::/64 -j MASQUERADE"),
    (
        "SNAT",
        Match(),
        SourceNat(ip_address("2001:db8::1")),
        Family.IPV6,
        "-j SNAT --to-source 2001:db8::1",
    ),
]


@pytest.mark.parametrize(("match", "action", "family", "text"), **table(RENDERED))
def test_as_iptables_save_prints_it(
    match: Match, action: Action, family: Family, text: str
) -> None:
    rule = to_xtables(match, action, family)
    assert str(rule) == text
    assert parse_rule(text) == rule


def test_segments_with_data_are_a_program() -> None:
    rule = to_xtables(Match(protocol=Protocol.TCP, text=Text.SOME), Accept(), Family.IPV6)
    assert str(rule).startswith('-p tcp -m bpf --bytecode "12,48 0 0 6,')
    assert parse_rule(str(rule)) == rule


FOREIGN = [
    ("inverted basics", "! -s 10.0.0.0/8 ! -i eth0 -j ACCEPT"),
    ("inverted option", "-p tcp -m tcp ! --dport 22 -j DROP"),
    ("several values", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT"),
    ("quotes", '-m comment --comment "a b" -j ftpfw-x'),
    ("no target", "-m comment --comment x"),
    ("goto", "-i eth0 -g ftpfw-forward"),
    ("fragment", "-f -j ACCEPT"),
]


@pytest.mark.parametrize("text", **table(FOREIGN))
def test_other_people_s_rules_are_read_whole(text: str) -> None:
    assert str(parse_rule(text)) == text


NO_RULE = [
    ("a quote that does not end", '-m comment --comment "x', "No closing quotation"),
    ("a match without its name", "-p tcp -m", "-m names nothing"),
    ("a target without its name", "-p tcp -j", "-j names nothing"),
    ("a value without its option", "tcp -j ACCEPT", "'tcp' is no option's value"),
    ("a value of a target's", "-j DROP tcp", "'tcp' is no option's value"),
]


@pytest.mark.parametrize(("text", "why"), **table(NO_RULE))
def test_what_is_no_rule_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_rule(text)


def test_a_rule_read_back() -> None:
    assert parse_rule(
        '! -s 10.0.0.0/8 -m tcp --tcp-flags SYN,ACK SYN -j LOG --log-prefix "a b"'
    ) == (
        XtRule(
            (Option("-s", ("10.0.0.0/8",), inverted=True),),
            (Extension("tcp", (Option("--tcp-flags", ("SYN,ACK", "SYN")),)),),
            Extension("LOG", (Option("--log-prefix", ("a b",)),)),
        )
    )


@pytest.mark.parametrize(("name", "backend", "family"), **table([(c[0], *c[1:]) for c in CASES]))
def test_golden(name: str, backend: Backend, family: Family, update_golden: bool) -> None:
    golden = golden_file(name, backend, family)
    text = rendered(name, backend, family)
    if update_golden:
        golden.write_text(text)
    assert golden.read_text() == text


def test_every_golden_file_is_tested() -> None:
    tested = {golden_file(*case[1:]) for case in CASES}
    assert {path for path in RULES.iterdir() if path.suffix[1:] in EXTENSION.values()} == tested


@pytest.mark.parametrize(("name", "backend", "family"), **table([(c[0], *c[1:]) for c in CASES]))
def test_each_rule_follows_its_sentence(name: str, backend: Backend, family: Family) -> None:
    lines = rendered(name, backend, family).splitlines()
    whys = [rule.why for chain in compiled(name, backend, family).chains for rule in chain.rules]
    assert [
        before.removeprefix("# ")
        for before, line in pairwise(lines)
        if line.startswith("-A ftpfw-")
    ] == whys


def golden_file(name: str, backend: Backend, family: Family) -> Path:
    return next(RULES / case[0] for case in CASES if case[1:] == (name, backend, family))
