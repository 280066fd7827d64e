"""What rules do to a packet: a netfilter of dataclasses, to compare rule sets by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from hypothesis import strategies as st

from ftpfw.conntrack.model import Direction
from ftpfw.ruleset.model import (
    Action,
    AttachHelper,
    Chain,
    Family,
    Jump,
    Match,
    PortRange,
    Protocol,
    Return,
    Rule,
    SetZone,
    State,
    Text,
)

INTERFACES = ["eth0", "eth1", "dmz0"]


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet and what conntrack knows of it, by the names that Match has."""

    family: Family
    in_interface: str
    out_interface: str
    source: IPv4Address | IPv6Address
    destination: IPv4Address | IPv6Address
    protocol: Protocol
    sport: int
    dport: int
    syn: bool
    connmark: int
    states: State
    tracked_protocol: Protocol
    orig_source: IPv4Address | IPv6Address
    orig_destination: IPv4Address | IPv6Address
    orig_dport: int
    direction: Direction
    hash: int
    helper: str
    text: frozenset[Text]


def matches(match: Match, packet: Packet) -> bool:
    """Whether a packet is all that is asked."""
    share, mark = match.share, match.connmark
    if (
        (share and packet.hash % share.of != share.index)
        or (match.text and match.text not in packet.text)
        or (match.states and packet.states not in match.states)
        or (match.syn is not None and match.syn != packet.syn)
        or (mark and not packet.connmark & mark)
    ):
        return False
    plain = ("in_interface", "out_interface", "protocol", "tracked_protocol", "direction", "helper")
    for name in plain:
        if getattr(match, name) not in {None, getattr(packet, name)}:
            return False
    ranged = ("source", "destination", "orig_source", "orig_destination")
    if any(not _within(getattr(match, name), getattr(packet, name)) for name in ranged):
        return False
    ports = ("sport", "dport", "orig_dport")
    return all(holds(getattr(match, name), getattr(packet, name)) for name in ports)


def holds(value: Any, asked: Any) -> bool:
    """Whether a value of a rule, a network or a range, holds one of a packet."""
    if isinstance(value, PortRange):
        return value.first <= int(asked) <= value.last
    return _within(value, asked)


def _within(network: Any, address: Any) -> bool:
    return network is None or (network.version == address.version and address in network)


def effects(rules: Iterable[Rule], packet: Packet, chains: dict[str, Chain]) -> list[Action]:
    """What is done to a packet, up to the first verdict; Return is one at the top."""
    done: list[Action] = []
    for rule in rules:
        if not matches(rule.match, packet):
            continue
        if isinstance(rule.action, Jump):
            below = effects(chains[rule.action.chain].rules, packet, chains)
            done += [one for one in below if not isinstance(one, Return)]
            if below and is_verdict(below[-1]) and not isinstance(below[-1], Return):
                return done
        else:
            done.append(rule.action)
            if is_verdict(rule.action):
                return done
    return done


def is_verdict(action: Action) -> bool:
    """Whether no later rule of the chain is asked."""
    return not isinstance(action, AttachHelper | SetZone)


@st.composite
def packets_near(draw: st.DrawFn, family: Family, rules: Sequence[Rule]) -> Packet:
    """A packet that a rule may be about: one rule's values, where another's do not replace them."""
    sources = [draw(st.sampled_from(rules)).match for _ in range(3)] if rules else []

    def from_rules(name: str, otherwise: st.SearchStrategy[Any]) -> Any:
        values = [value for match in sources if (value := getattr(match, name)) is not None]
        value = draw(st.sampled_from(values)) if values else None
        return draw(otherwise) if value is None or draw(st.integers(0, 9)) == 0 else value

    def address(name: str) -> Any:
        value = from_rules(name, st.ip_addresses(v=family.value))
        if hasattr(value, "network_address"):
            return value[draw(st.integers(0, min(value.num_addresses - 1, 3)))]
        return value

    def port(name: str) -> int:
        value = from_rules(name, st.integers(1, 65535))
        return draw(st.integers(value.first, value.last)) if hasattr(value, "first") else int(value)

    return Packet(
        family=family,
        in_interface=from_rules("in_interface", st.sampled_from(INTERFACES)),
        out_interface=from_rules("out_interface", st.sampled_from(INTERFACES)),
        source=address("source"),
        destination=address("destination"),
        protocol=from_rules("protocol", st.sampled_from(Protocol)),
        sport=port("sport"),
        dport=port("dport"),
        syn=draw(st.booleans()),
        connmark=draw(st.sampled_from([0, 0x40000000])),
        states=draw(st.sampled_from(list(State))),
        tracked_protocol=Protocol.TCP,
        orig_source=address("orig_source"),
        orig_destination=address("orig_destination"),
        orig_dport=port("orig_dport"),
        direction=from_rules("direction", st.sampled_from(Direction)),
        hash=draw(st.integers(0, 31)),
        helper=from_rules("helper", st.sampled_from(["", "ftp"])),
        text=draw(st.frozensets(st.sampled_from(Text))),
    )
