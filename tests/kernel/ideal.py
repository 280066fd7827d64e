"""What compiled rules should do to a packet: the walk through the hooks, as an interpreter.

Only for packets of which conntrack's opinion is known without asking: TCP that opens a
connection, is taken for one in its middle (nf_conntrack_tcp_loose), or fits none
(tcp_valid_flags and the first column of tcp_conntracks, nf_conntrack_proto_tcp.c); and pings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from ftpfw.conntrack.model import Direction
from ftpfw.ruleset.model import (
    Accept,
    Action,
    Builtin,
    DestinationNat,
    Drop,
    Masquerade,
    Position,
    Protocol,
    Rule,
    RuleSet,
    SourceNat,
    State,
    Table,
)
from tests.unit.ruleset.packets import Packet, effects

from .probes import HERE, Address, Endpoints, Probe, Sight

_PROTOCOLS = {"tcp": Protocol.TCP, "icmp": Protocol.ICMP}
_NOWHERE = {4: "0.0.0.0", 6: "::"}


class _Chain:
    """The rules of a hook; those of one host are not asked about others."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._hosts: defaultdict[Address | None, list[tuple[int, Rule]]] = defaultdict(list)
        for number, rule in enumerate(rules):
            network = rule.match.destination or rule.match.source
            one = network is not None and network.num_addresses == 1
            self._hosts[network[0] if network is not None and one else None].append((number, rule))

    def effects(self, packet: Packet) -> list[Action]:
        keys = {None, packet.source, packet.destination}
        numbered = sorted(
            (one for key in keys for one in self._hosts.get(key, ())), key=lambda one: one[0]
        )
        return effects((rule for _, rule in numbered), packet, {})


@dataclass(frozen=True, slots=True)
class _Route:
    interface: str
    address: IPv4Interface | IPv6Interface


class Ideal:
    """A gateway that has nothing but ``ruleset`` and ``addresses``, by interface."""

    def __init__(self, ruleset: RuleSet, addresses: dict[str, list[str]], outside: str) -> None:
        chains = {chain.name: chain.rules for chain in ruleset.chains}
        self._hooks = {
            (hook.table, hook.builtin, hook.position): _Chain(chains[hook.chain])
            for hook in ruleset.hooks
        }
        self._outside = outside
        self._routes = [
            _Route(name, interface)
            for name, many in addresses.items()
            for interface in map(ip_interface, many)
            if interface.version == ruleset.family.value
        ]
        self._family = ruleset.family

    def sight(self, probe: Probe) -> Sight | None:
        """Where a probe is to be seen, and as what."""
        tracked = probe.protocol == "icmp" or probe.what in {"S", "A"}
        packet = self._packet(probe, tracked=tracked)
        here = probe.enter == HERE
        begin = Builtin.OUTPUT if here else Builtin.PREROUTING
        if here:
            packet = replace(packet, out_interface=self._out(probe.ends.destination))
        if self._dropped(Table.RAW, begin, packet):
            return None
        if tracked:
            packet = self._translated(begin, packet)
        if not here and self._is_own(packet.destination):
            if self._dropped(Table.FILTER, Builtin.INPUT, packet):
                return None
            return self._seen(HERE, packet)
        packet = replace(packet, out_interface=self._out(packet.destination))
        if self._dropped(Table.FILTER, Builtin.OUTPUT if here else Builtin.FORWARD, packet):
            return None
        if tracked:
            packet = self._translated(Builtin.POSTROUTING, replace(packet, in_interface=""))
        return self._seen(packet.out_interface, packet)

    def _packet(self, probe: Probe, *, tracked: bool) -> Packet:
        """What conntrack does not track has no original tuple."""
        ends = probe.ends
        nobody = ip_interface(_NOWHERE[probe.version]).ip
        return Packet(
            family=self._family,
            in_interface="" if probe.enter == HERE else probe.enter,
            out_interface="",
            source=ends.source,
            destination=ends.destination,
            protocol=_PROTOCOLS[probe.protocol],
            sport=ends.sport,
            dport=ends.dport,
            syn=probe.what == "S",
            connmark=0,
            states=State.NEW if tracked else State.INVALID,
            tracked_protocol=_PROTOCOLS[probe.protocol],
            orig_source=ends.source if tracked else nobody,
            orig_destination=ends.destination if tracked else nobody,
            orig_dport=ends.dport if tracked else -1,
            direction=Direction.ORIGINAL,
            hash=0,
            helper="",
            text=frozenset(),
        )

    def _effects(self, table: Table, builtin: Builtin, packet: Packet) -> Iterator[Action]:
        for position in Position:
            chain = self._hooks.get((table, builtin, position))
            yield from chain.effects(packet) if chain else ()

    def _dropped(self, table: Table, builtin: Builtin, packet: Packet) -> bool:
        """The first verdict decides."""
        done = self._effects(table, builtin, packet)
        return next((isinstance(a, Drop) for a in done if isinstance(a, Accept | Drop)), False)

    def _translated(self, builtin: Builtin, packet: Packet) -> Packet:
        for action in self._effects(Table.NAT, builtin, packet):
            match action:
                case DestinationNat(to):
                    return replace(packet, destination=to)
                case SourceNat(to):
                    return replace(packet, source=to)
                case Masquerade():
                    return replace(packet, source=self._masquerade(packet.out_interface))
                case _:
                    return packet
        return packet

    def _masquerade(self, interface: str) -> Address:
        return next(route.address.ip for route in self._routes if route.interface == interface)

    def _is_own(self, address: Address) -> bool:
        return any(route.address.ip == address for route in self._routes)

    def _out(self, destination: Address) -> str:
        fitting = [route for route in self._routes if destination in route.address.network]
        fitting.sort(key=lambda route: route.address.network.prefixlen)
        return fitting[-1].interface if fitting else self._outside

    def _seen(self, interface: str, packet: Packet) -> Sight:
        ends = Endpoints(packet.source, packet.sport, packet.destination, packet.dport)
        return Sight(interface, 0, ends)
