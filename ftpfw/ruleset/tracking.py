"""Table raw: what conntrack is told, and not told, of packets that arrive or start here.

In this order, because xt_CT leaves a packet alone that has a template already, and a
packet that is queued takes up the path behind this table:

    1. nobody outside, nor in the DMZ, speaks for a host further inside: whoever could would
       open its ports
    2. control connections get the helper, and the zone with it
    3. everything else on these interfaces gets the zone, its answers included
    4. what opens a connection to a server's passive ports goes to the inspector, who
       expects it if a control connection that has turned to TLS lives between the two

The fourth is for explicit FTPS, whose negotiations nobody can read. With no inspector
such a SYN goes on, is not expected, and meets the default drop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ftpfw.ruleset.model import (
    AttachHelper,
    Builtin,
    Drop,
    Match,
    PortRange,
    Queue,
    Rule,
    SetZone,
)
from ftpfw.ruleset.policy import Gateway, Network
from ftpfw.ruleset.ways import Placed, Plan, Way, host_network


def rules(plan: Plan) -> Placed:
    """The rules of table raw."""
    yield from no_spoofing(plan)
    yield from attach(plan, plan.ways)
    if plan.policy.gateway.zone:
        yield from _set_zone(plan.policy.gateway)
    yield from queue_passive(plan)


def no_spoofing(plan: Plan) -> Placed:
    """Drop what comes from outside with an address that is inside."""
    gateway = plan.policy.gateway
    strangers = [(gateway.outside, network) for network in _inside_networks(plan)]
    strangers += [(dmz, network) for dmz in gateway.dmz for network in plan.networks]
    for interface, network in strangers:
        yield (
            Builtin.PREROUTING,
            Rule(
                Match(in_interface=interface, source=network),
                Drop(),
                f"Nobody on {interface} has an address of {network}.",
            ),
        )


def _inside_networks(plan: Plan) -> Iterator[Network]:
    yield from plan.networks
    for server in plan.servers:
        if not any(server.address in network for network in plan.networks):
            yield host_network(server.address)


def attach(plan: Plan, ways: Iterable[Way]) -> Placed:
    """Attach the helper, if there is one, to new control connections."""
    if plan.helper is None:
        return
    for way, port in ((one, port) for one in ways for port in one.ports):
        yield (
            way.arrival,
            Rule(
                replace(way.opening, dport=PortRange(port, port)),
                AttachHelper(plan.helper, plan.policy.gateway.zone),
                f"Control connections from {way.origin} to port {port} of {way.goal}"
                f" get the conntrack helper {plan.helper}.",
            ),
        )


def _set_zone(gateway: Gateway) -> Placed:
    """Keep this gateway's connections apart from those of other zones."""
    zone = gateway.zone
    for interface in (*gateway.behind, gateway.outside):
        yield (
            Builtin.PREROUTING,
            Rule(
                Match(in_interface=interface),
                SetZone(zone),
                f"What arrives on {interface} belongs to the conntrack zone {zone}.",
            ),
        )
        yield (
            Builtin.OUTPUT,
            Rule(
                Match(out_interface=interface),
                SetZone(zone),
                f"What this host sends on {interface} belongs to the conntrack zone {zone}.",
            ),
        )


def queue_passive(plan: Plan) -> Placed:
    """Ask the inspector, if there is one, about connections to servers' passive ports."""
    for way in plan.ways if plan.inspected else ():
        if way.passive is None or way.hook is Builtin.OUTPUT:
            continue
        yield (
            Builtin.PREROUTING,
            Rule(
                replace(way.opening, dport=way.passive, syn=True),
                Queue(plan.policy.helper.queue[0], bypass=True),
                f"FTPS: the inspector expects connections from {way.origin} to ports {way.passive}"
                f" of {way.goal} while a control connection in TLS lives between the two.",
            ),
        )
