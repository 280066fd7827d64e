"""Packets that rules are about, or nearly: made at random from the rules' own values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_interface
from random import Random

from ftpfw.ruleset.model import PortRange, Rule, RuleSet
from ftpfw.ruleset.policy import Network

from .probes import HERE, Address, Endpoints, Probe

OPENERS = ("S",) * 6 + ("A", "A", "SF", "R", "SA", "FA", "FPU", "")
"""Flags: mostly what opens a connection, and what conntrack takes for a new one or for INVALID."""

CLIENT_PORTS = range(10000, 30000)
"""One for each probe, so that none is the answer to another."""

STRANGERS = {
    4: ("198.18.0.7", "198.18.0.9", "10.99.0.5"),
    6: ("2001:db8:99::7", "2001:db8:99::9", "fd99::5"),
}


@dataclass(slots=True)
class Likely:
    """Makes probes of one family; ``addresses`` are the gateway's, by interface."""

    ruleset: RuleSet
    addresses: dict[str, list[str]]
    random: Random
    _rules: list[Rule] = field(init=False)
    _own: list[Address] = field(init=False)
    _strangers: list[Address] = field(init=False)

    def __post_init__(self) -> None:
        version = self.ruleset.family.value
        own = [ip_interface(one) for many in self.addresses.values() for one in many]
        self._own = [one.ip for one in own if one.version == version]
        self._strangers = [ip_interface(one).ip for one in STRANGERS[version]]
        self._rules = [rule for chain in self.ruleset.chains for rule in chain.rules]

    def probes(self, count: int) -> list[Probe]:
        return [self._probe(port) for port in CLIENT_PORTS[:count]]

    def _probe(self, client_port: int) -> Probe:
        random = self.random
        rules = [random.choice(self._rules) for _ in range(3)]
        source = self._address([rule.match.source for rule in rules], self._strangers)
        targets = [rule.match.destination or rule.match.orig_destination for rule in rules]
        destination = self._address(targets, [*self._strangers, *self._own])
        enter = self._interface(rules)
        if enter == HERE:
            source = random.choice(self._own)
            destination = random.choice(self._strangers)
        if random.random() < 0.05:
            return Probe(enter, "icmp", Endpoints(source, 0, destination, 0), "echo")
        flags = random.choice(OPENERS)
        sport = client_port
        if flags not in {"S", "A"}:  # of no connection, so it cannot be anybody's answer
            sport = self._port([rule.match.sport for rule in rules], client_port)
        ports = [rule.match.dport or rule.match.orig_dport for rule in rules]
        ends = Endpoints(source, sport, destination, self._port(ports, random.choice([22, 80])))
        return Probe(enter, "tcp", ends, flags)

    def _interface(self, rules: Sequence[Rule]) -> str:
        named = [
            name
            for rule in rules
            for name in (rule.match.in_interface, HERE if rule.match.out_interface else None)
            if name
        ]
        if len(self.addresses) > 1:  # a gateway, which is no client itself
            named = [name for name in named if name != HERE]
        return self._one_of(named, [*self.addresses])

    def _address(self, networks: Sequence[Network | None], others: Sequence[Address]) -> Address:
        known = [network for network in networks if network is not None]
        if not known or self.random.random() < 0.15:
            return self.random.choice(others)
        network = self.random.choice(known)
        # Not the first or last of a network: nobody has those.
        last = min(network.num_addresses - 2, 20)
        return network[self.random.randint(2, last)] if last > 2 else network[0]

    def _port(self, ranges: Sequence[PortRange | None], other: int) -> int:
        known = [one for one in ranges if one is not None]
        if not known:
            return other
        one = self.random.choice(known)
        near = (one.first - 1, one.first, one.last, one.last + 1)
        inside = self.random.randint(one.first, one.last)
        port = self.random.choice([*near, inside, inside, inside])
        # Never one that a probe comes from.
        return port if 0 < port < 65536 and port not in CLIENT_PORTS else one.first

    def _one_of(self, likely: Sequence[str], others: Sequence[str]) -> str:
        return self.random.choice(likely if likely and self.random.random() < 0.85 else others)
