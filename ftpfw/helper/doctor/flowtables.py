"""Flowtables that may take control connections out of the queue's sight.

An offloaded flow (``flow add``, nft(8)) skips every hook but ingress, the queue's too. The kernel
spares connections with a helper (nft_flow_offload_eval() in net/netfilter/nft_flow_offload.c), so
those that ftpfw has taken up stay; those that were there before its rules do not.

Whether a rule may take a control connection is asked for one packet of each direction:
from any unprivileged port to 21, and back. What is not understood may match.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftpfw.helper.doctor.finding import Finding, note
from ftpfw.helper.doctor.nftables import NftRule, Statement
from ftpfw.helper.doctor.rulesets import Rules

FTP = 21
UNPRIVILEGED = range(1024, 65536)
VERDICTS = {"accept", "drop", "return", "reject"}


@dataclass(frozen=True, slots=True)
class Packet:
    """What a rule sees; a range stands for any port in it, None for a port not known."""

    protocol: str
    sport: range | None
    dport: range | None
    original_dport: range | None


def _port(number: int) -> range:
    return range(number, number + 1)


CONTROL = (
    Packet("tcp", UNPRIVILEGED, _port(FTP), _port(FTP)),
    Packet("tcp", _port(FTP), UNPRIVILEGED, _port(FTP)),
)
UDP = Packet("udp", None, None, None)


def judge_flowtables(rules: Rules) -> Iterator[Finding]:
    """Every rule that may offload a control connection."""
    taking = [rule for rule in rules.nftables.rules if _takes(rule, rules.nftables.rules)]
    for rule in taking:
        yield note(
            f"flowtable {rule.table[1]}",
            False,
            f"`flow add` in {rule.place} may take connections to port {FTP} past the queue:"
            " such as began before `load`, since the kernel spares those with a helper",
            _narrowed(rule, rules.texts.get(rule.table, {}).get(rule.handle, "")),
        )
    if not taking and not rules.unread:
        yield note("flowtables", True, f"none takes connections to port {FTP}")


def _takes(rule: NftRule, rules: tuple[NftRule, ...]) -> bool:
    if not any("flow" in statement for statement in rule.statements):
        return False
    before = _before(rule, rules)
    return any(_arrives(packet, before, rule) for packet in CONTROL)


def _before(rule: NftRule, rules: Iterable[NftRule]) -> list[NftRule]:
    """The rules of the same chain that come first."""
    chain = [one for one in rules if (one.table, one.chain) == (rule.table, rule.chain)]
    return chain[: chain.index(rule)]


def _arrives(packet: Packet, before: Iterable[NftRule], rule: NftRule) -> bool:
    if any(_ends(one) and _matches(packet, one.statements) is True for one in before):
        return False
    return _matches(packet, rule.statements) is not False


def _ends(rule: NftRule) -> bool:
    return any(VERDICTS & {*statement} for statement in rule.statements)


def _narrowed(rule: NftRule, text: str) -> str:
    """The same rule without control connections; what it does with UDP stays."""
    if not text:
        return f"nft delete rule {rule.place} handle {rule.handle}"
    control = f"meta l4proto tcp ct original proto-dst != {FTP} {text}"
    replace = f"nft replace rule {rule.place} handle {rule.handle} {shlex.quote(control)}"
    if _matches(UDP, rule.statements) is False:
        return replace
    udp = shlex.quote(f"meta l4proto udp {text}")
    return f"nft insert rule {rule.place} position {rule.handle} {udp} && {replace}"


def _matches(packet: Packet, statements: Iterable[Statement]) -> bool | None:
    """Whether all that a rule asks is so; None: not known."""
    outcomes = [_holds(packet, one["match"]) for one in statements if "match" in one]
    if False in outcomes:
        return False
    return None if None in outcomes else True


def _holds(packet: Packet, match: Mapping[str, Any]) -> bool | None:
    """Whether one comparison is so for the packet; None: it may be."""
    held = _compared(packet, match["left"], match["right"])
    if match["op"] in {"==", "in"}:
        return held
    return None if held is None or match["op"] != "!=" else not held


def _compared(packet: Packet, left: Any, right: Any) -> bool | None:
    match left:
        case {"meta": {"key": "l4proto"}} | {"payload": {"field": "protocol" | "nexthdr"}}:
            return _named(packet.protocol, right)
        case {"payload": {"protocol": "tcp" | "udp" as protocol}} if protocol != packet.protocol:
            return False
        case {"payload": {"field": "sport"}}:
            return _among(packet.sport, right)
        case {"payload": {"field": "dport"}}:
            return _among(packet.dport, right)
        case {"ct": {"key": "proto-dst", "dir": "original"}}:
            return _among(packet.original_dport, right)
    return None


def _elements(right: Any) -> list[Any]:
    return right["set"] if isinstance(right, dict) and "set" in right else [right]


def _named(protocol: str, right: Any) -> bool | None:
    elements = _elements(right)
    if all(isinstance(element, str) and element[:1].isalpha() for element in elements):
        return protocol in elements
    return None


def _among(ports: range | None, right: Any) -> bool | None:
    """Whether the packet's port is certainly in a set, certainly not, or may be."""
    spans = [_span(element) for element in _elements(right)]
    if ports is None or None in spans:
        return None
    hit = [span for span in spans if span and span[0] < ports.stop and ports.start <= span[-1]]
    if not hit:
        return False
    whole = any(span[0] <= ports.start and ports.stop - 1 <= span[-1] for span in hit)
    return True if whole else None


def _span(element: Any) -> range | None:
    match element:
        case int():
            return _port(element)
        case {"range": [int() as first, int() as last]}:
            return range(first, last + 1)
    return None
