"""Which ``flow add`` may take a control connection, and how it is narrowed."""

from __future__ import annotations

from typing import Any

import pytest

from ftpfw.helper.doctor.flowtables import judge_flowtables
from ftpfw.helper.doctor.nftables import Nftables, NftRule, Statement
from ftpfw.helper.doctor.rulesets import Rules, Unread
from tests.unit.table import table

FLOW: Statement = {"flow": {"op": "add", "flowtable": "@ft"}}
ACCEPT: Statement = {"accept": None}
TABLE = ("inet", "fast")


def port(field: str, right: Any, op: str = "==", protocol: str = "tcp") -> Statement:
    left = {"payload": {"protocol": protocol, "field": field}}
    return {"match": {"op": op, "left": left, "right": right}}


def original(right: Any, op: str = "==") -> Statement:
    left = {"ct": {"key": "proto-dst", "dir": "original"}}
    return {"match": {"op": op, "left": left, "right": right}}


def l4proto(right: Any, op: str = "==") -> Statement:
    return {"match": {"op": op, "left": {"meta": {"key": "l4proto"}}, "right": right}}


ESTABLISHED: Statement = {
    "match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "established"}
}
HTTP: Any = {"set": [80, {"range": [443, 444]}]}
HIGH: Any = {"range": [1024, 65535]}
SOME_HIGH: Any = {"range": [8000, 8100]}


def chain(*rules: list[Statement]) -> Rules:
    """A chain whose rules have the handles 1, 2, …, and words for the last."""
    made = [NftRule(TABLE, "f", n, tuple(rule)) for n, rule in enumerate(rules, 1)]
    return Rules(nftables=Nftables(tuple(made)), texts={TABLE: {len(made): "… flow add @ft"}})


TAKEN = [
    # id, rules, taken
    ("anything", chain([FLOW]), True),
    ("anything established", chain([ESTABLISHED, FLOW]), True),
    ("TCP", chain([l4proto("tcp"), FLOW]), True),
    ("TCP or UDP", chain([l4proto({"set": ["tcp", "udp"]}), FLOW]), True),
    ("TCP by IPv4's header", chain([port("protocol", "tcp", protocol="ip"), FLOW]), True),
    ("UDP", chain([l4proto("udp"), FLOW]), False),
    ("all but TCP", chain([l4proto("tcp", "!="), FLOW]), False),
    ("a protocol by number", chain([l4proto(6), FLOW]), True),
    ("UDP's ports", chain([port("dport", 21, protocol="udp"), FLOW]), False),
    ("commands", chain([port("dport", 21), FLOW]), True),
    ("replies", chain([port("sport", 21), FLOW]), True),
    ("HTTP", chain([port("dport", HTTP), FLOW]), False),
    ("high ports, so replies", chain([port("dport", HIGH), FLOW]), True),
    ("some high ports, so some replies", chain([port("dport", SOME_HIGH), FLOW]), True),
    ("all but commands, so replies", chain([port("dport", 21, "!="), FLOW]), True),
    (
        "neither commands nor replies",
        chain([port("dport", 21, "!="), port("sport", 21, "!="), FLOW]),
        False,
    ),
    ("neither, by conntrack", chain([original(21, "!="), FLOW]), False),
    ("by a set with a name", chain([port("dport", "@ports"), FLOW]), True),
    ("not in a set with a name", chain([original("@ports", "!="), FLOW]), True),
    ("another statement", chain([ESTABLISHED, ACCEPT]), False),
    ("accepted before", chain([original(21), ACCEPT], [FLOW]), False),
    ("accepted before, one direction", chain([port("dport", 21), ACCEPT], [FLOW]), True),
    (
        "accepted before, both",
        chain([port("dport", 21), ACCEPT], [port("sport", 21), {"return": None}], [FLOW]),
        False,
    ),
    ("perhaps accepted before", chain([original(21), ESTABLISHED, ACCEPT], [FLOW]), True),
    ("counted before", chain([original(21), {"counter": None}], [FLOW]), True),
    ("accepted after", chain([FLOW], [original(21), ACCEPT]), True),
]


@pytest.mark.parametrize(("rules", "taken"), **table(TAKEN))
def test_taken(rules: Rules, *, taken: bool) -> None:
    findings = list(judge_flowtables(rules))
    assert [finding.ok for finding in findings] == [not taken]
    assert not any(finding.needed for finding in findings)


REPLACE = "nft replace rule inet fast f handle 1 'meta l4proto tcp ct original proto-dst != 21 {}'"
WORDS = "… flow add @ft"
MENDS = [
    ("TCP only", chain([l4proto("tcp"), FLOW]), REPLACE.format(WORDS)),
    (
        "UDP goes on as it did",
        chain([FLOW]),
        f"nft insert rule inet fast f position 1 'meta l4proto udp {WORDS}' && "
        + REPLACE.format(WORDS),
    ),
    (
        "its words are not known",
        Rules(nftables=Nftables((NftRule(TABLE, "f", 1, (FLOW,)),))),
        "nft delete rule inet fast f handle 1",
    ),
]


@pytest.mark.parametrize(("rules", "mend"), **table(MENDS))
def test_mend(rules: Rules, mend: str) -> None:
    (finding,) = judge_flowtables(rules)
    assert finding.mend == mend


def test_what_was_not_read_is_not_called_fine() -> None:
    assert not list(judge_flowtables(Rules(unread=(Unread("nft", "why"),))))
