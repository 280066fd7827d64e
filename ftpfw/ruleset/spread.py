"""Long chains as trees, so that a packet passes few rules however many servers there are (pure).

iptables asks the rules of a chain one after the other. Where very many of them name each one
host, or one port, those of the same part of the address or port space go into a chain of
their own, behind a jump that asks for that part; its parts likewise. A packet then passes
at most PARTS jumps on each level, and the rules that are about its own host.

Rules move past others, so that is done only within a run of rules whose order means nothing:
they all do the same, or all of them name a value of one field, and those of different
values share no packet. The parts never overlap.

Sets of ipset would be asked faster, but they cannot change in one transaction with the rules,
know nothing of a connection's original tuple, and hold no targets for DNAT.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import Any, TypeAlias

from ftpfw.ruleset.model import Chain, Jump, Match, PortRange, Protocol, Return, Rule, RuleSet
from ftpfw.ruleset.policy import Network

LONGEST = 256
"""Rules that may stand in one chain before they are spread: people read short ones better."""

LEAF = 32
"""Rules that stand in one chain of a tree."""

PARTS = 16
"""Jumps that stand beside each other."""

HOSTS = ("destination", "source", "orig_destination")
PORTS = ("dport", "sport", "orig_dport")
"""The fields that rules are spread by, hosts first."""


GUARD = "orig_dport"
"""Asked ahead of hosts: a number is compared faster than addresses, and few connections have it."""

_WHYS = {
    "destination": "Packets to {} pass rules of their own.",
    "source": "Packets from {} pass rules of their own.",
    "orig_destination": "Connections to {} pass rules of their own.",
    "dport": "Packets to ports {} pass rules of their own.",
    "sport": "Packets from ports {} pass rules of their own.",
    "orig_dport": "Connections to ports {} pass rules of their own.",
}

Value: TypeAlias = Network | PortRange
_Parts: TypeAlias = list[tuple[Value, list[Rule]]]


def spread(ruleset: RuleSet, longest: int = LONGEST, leaf: int = LEAF) -> RuleSet:
    """The same rules, with chains of more than ``longest`` made trees."""
    chains: list[Chain] = []
    for chain in ruleset.chains:
        chains += [chain] if len(chain.rules) <= longest else _Tree(chain, leaf).grow()
    return replace(ruleset, chains=tuple(chains))


class _Tree:
    """A chain, and those that it jumps to once it is grown."""

    def __init__(self, trunk: Chain, leaf: int) -> None:
        self._trunk = trunk
        self._leaf = leaf
        self._branches: list[Chain] = []

    def grow(self) -> list[Chain]:
        """The trunk, then its branches."""
        rules = self._planted(self._trunk.rules, (*HOSTS, *PORTS))
        return [replace(self._trunk, rules=tuple(rules)), *self._branches]

    def _planted(self, rules: Iterable[Rule], fields: Sequence[str]) -> list[Rule]:
        """Rules of any kind, or jumps to them; ``fields`` are those that may part them."""
        return [
            rule
            for name, bucket in _buckets(rules, fields)
            for rule in self._guarded(bucket, name, fields)
        ]

    def _guarded(self, rules: list[Rule], name: str | None, fields: Sequence[str]) -> list[Rule]:
        """Rules of a bucket, behind jumps that only the connections to their ports take.

        Packets of all others, of data connections first of all, are not asked for hosts then.
        """
        guarded = name not in {None, GUARD} and all(rule.match.orig_dport for rule in rules)
        parts = _port_parts(rules, GUARD) if guarded and GUARD in fields else []
        if name is None or not parts or len(rules) <= self._leaf:
            return self._parted(rules, name, fields)
        rest = [one for one in fields if one != GUARD]
        return [self._jump(GUARD, ports, part, name, rest) for ports, part in parts]

    def _parted(self, rules: list[Rule], name: str | None, fields: Sequence[str]) -> list[Rule]:
        """Rules that all name a value of one field, or jumps to parts of them."""
        if name is None or len(rules) <= self._leaf:
            return rules
        parts = _host_parts(rules, name) if name in HOSTS else _port_parts(rules, name)
        if len(parts) < 2:
            return self._planted(rules, [one for one in fields if one != name])
        return [self._jump(name, value, part, name, fields) for value, part in parts]

    def _jump(
        self, name: str, value: Value, part: list[Rule], then: str, fields: Sequence[str]
    ) -> Rule:
        """The jump to a branch of what has ``value``, which is parted by the field ``then``."""
        branch = f"{self._trunk.name}.{len(self._branches) + 1}"
        at = len(self._branches)
        self._branches.append(Chain(branch, self._trunk.table, ()))
        rules = tuple(self._parted(part, then, fields))
        self._branches[at] = Chain(branch, self._trunk.table, rules)
        protocol = Protocol.TCP if name in {"sport", "dport"} else None
        asked: dict[str, Any] = {name: value}
        return Rule(Match(protocol=protocol, **asked), Jump(branch), _WHYS[name].format(value))


def _buckets(
    rules: Iterable[Rule], fields: Sequence[str]
) -> Iterator[tuple[str | None, list[Rule]]]:
    """Rules by the field that can part them, None where none can, in an order that may stand."""
    buckets: list[tuple[str | None, list[Rule]]] = []
    for _, alike in groupby(rules, key=lambda rule: rule.action):
        sorted_: dict[str | None, list[Rule]] = {}
        for rule in alike:
            sorted_.setdefault(_field(rule, fields), []).append(rule)
        for name, bucket in sorted_.items():
            if buckets and buckets[-1][0] == name:
                buckets[-1][1].extend(bucket)
            else:
                buckets.append((name, bucket))
    yield from buckets


def _field(rule: Rule, fields: Sequence[str]) -> str | None:
    """The first field by which a rule is about one host, or about ports."""
    if isinstance(rule.action, Return):  # from a branch it would only get back to the trunk
        return None
    for name in fields:
        value = getattr(rule.match, name)
        if value is not None and (name in PORTS or value.num_addresses == 1):
            return name
    return None


def _host_parts(rules: list[Rule], name: str) -> _Parts:
    """Rules by the network that their host is in, a PARTS-th of what holds all of them."""
    networks = [getattr(rule.match, name) for rule in rules]
    numbers = [int(network.network_address) for network in networks]
    whole = networks[0].max_prefixlen
    common = whole - (min(numbers) ^ max(numbers)).bit_length()
    length = min(whole, common + PARTS.bit_length() - 1)
    parts: dict[Network, list[Rule]] = {}
    for network, rule in zip(networks, rules, strict=True):
        parts.setdefault(network.supernet(new_prefix=length), []).append(rule)
    return list(parts.items())


def _port_parts(rules: list[Rule], name: str) -> _Parts:
    """Rules by ranges that hold theirs; no parts where ports overlap."""
    by_ports: dict[PortRange, list[Rule]] = {}
    for rule in rules:
        by_ports.setdefault(getattr(rule.match, name), []).append(rule)
    ranges = sorted(by_ports, key=lambda ports: ports.first)
    if any(one.last >= next_.first for one, next_ in pairwise(ranges)):
        return []
    size = -(-len(ranges) // PARTS)
    parts: _Parts = []
    for at in range(0, len(ranges), size):
        chosen = ranges[at : at + size]
        held = [rule for ports in chosen for rule in by_ports[ports]]
        parts.append((PortRange(chosen[0].first, chosen[-1].last), held))
    return parts
