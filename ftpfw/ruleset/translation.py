"""Table nat: whose address is translated into whose.

Only control connections need rules. Their data connections are translated as they are,
both ways, by the kernel (nf_nat_follow_master() of the expectation): what an inside server
opens leaves with the address that the client knows, and no rule of this table is asked.
Without a helper nothing is expected, and the passive ports are translated like the control
port.

A published server's clients inside take the gateway's address on the inside: the server
would answer a neighbour directly, and the neighbour expects the public address.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

from ftpfw.ruleset.model import (
    Accept,
    Action,
    Builtin,
    DestinationNat,
    Masquerade,
    Match,
    PortRange,
    Protocol,
    Rule,
    SourceNat,
    State,
)
from ftpfw.ruleset.ways import Placed, Plan, Way, host_network


def rules(plan: Plan) -> Placed:
    """The rules of table nat."""
    for way in plan.ways:
        yield from _publish(way, plan.helper)
    leaving = [*hairpin(plan)]
    if plan.translates:
        leaving += [*_keep_routed(plan), *translate_clients(plan)]
    for rule in leaving:
        yield Builtin.POSTROUTING, rule


def translate_clients(plan: Plan) -> Iterator[Rule]:
    """Clients leave with the gateway's outside address."""
    outside, to = plan.policy.gateway.outside, plan.policy.gateway.snat_to
    action: Action = Masquerade() if to is None else SourceNat(to)
    address = f"the address of {outside}" if to is None else str(to)
    for network in plan.networks:
        yield Rule(
            Match(source=network, out_interface=outside),
            action,
            f"Clients of {network} leave by {outside} with {address}.",
        )


def _keep_routed(plan: Plan) -> Iterator[Rule]:
    """A routed server may stand in a network that is translated."""
    for server in plan.servers:
        among = any(server.address in network for network in plan.networks)
        if plan.helper and among and server.public == server.address:
            yield Rule(
                Match(
                    source=host_network(server.address),
                    out_interface=plan.policy.gateway.outside,
                    protocol=Protocol.TCP,
                    states=State.RELATED,
                    helper=plan.helper,
                ),
                Accept(),
                f"Active: data connections of {server.address} keep the address that their"
                " clients know.",
            )


def _publish(way: Way, helper: str | None) -> Placed:
    """What comes to a server's public address goes to its own."""
    if not way.published or way.address is None:
        return
    server = ip_address(way.address.network_address)
    for ports in translated_ports(way, helper):
        yield (
            way.arrival,
            Rule(
                replace(way.opening, dport=ports),
                DestinationNat(server),
                f"Connections from {way.origin} to port {ports} of {way.goal} go to {server}.",
            ),
        )


def hairpin(plan: Plan) -> Iterator[Rule]:
    """Inside clients of a published server get their answers through this host."""
    for way in plan.ways:
        if way.published and way.clients is not None:
            yield from _hairpin(way, plan.helper)


def _hairpin(way: Way, helper: str | None) -> Iterator[Rule]:
    for ports in translated_ports(way, helper):
        yield Rule(
            Match(
                source=way.clients,
                destination=way.address,
                protocol=Protocol.TCP,
                orig_destination=way.public,
                orig_dport=ports,
            ),
            Masquerade(),
            f"Clients of {way.clients} that ask for port {ports} of {way.goal} reach the server"
            " with this host's address, so that it answers through this host.",
        )


def translated_ports(way: Way, helper: str | None) -> Iterator[PortRange]:
    """The control ports, and without a helper the passive ones."""
    for port in way.ports:
        yield PortRange(port, port)
    if helper is None and way.passive:
        yield way.passive
