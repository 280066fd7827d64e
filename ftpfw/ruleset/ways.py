"""The ways that control connections take through this host, by what the policy says.

    clients.allow       inside → outside, forwarded
    clients.this_host   from here → outside
    [[server]]          outside → the server, and from the clients inside, who may use its
                        public address too (hairpin) and, across a DMZ's border, its own;
                        ``this_host`` may as well

A server whose public address is its own is routed or runs here, and only the routing
table knows which: it has both ways, except where there is no inside. One that is
published behind another address is always forwarded to.

Forwarded ways name both interfaces where the policy knows them. It does not say which
interface, inside or in the DMZ, a server is on; its address is precise enough, and ``outside``
is no place for it to be (see ``ftpfw.ruleset.tracking``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from itertools import product

from ftpfw.ruleset.model import Builtin, Family, Match, PortRange, Protocol, Rule
from ftpfw.ruleset.policy import Address, Backend, Network, Policy, Server

Placed = Iterator[tuple[Builtin, Rule]]
"""Rules of one table, each with the hook that its chain hangs on."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where control connections to ``ports`` begin and end, and what they pass.

    ``hook`` is where their opener's packets are filtered: FORWARD, INPUT (the server is
    here) or OUTPUT (the client is here). ``nearby`` are the interfaces by which the packets
    may leave where ``leave`` is not known. ``public`` is the server's address as the client
    sees it, ``address`` its own; None: any. ``passive`` are the server's passive ports.
    ``origin`` and ``goal`` name both ends in sentences.
    """

    hook: Builtin
    ports: tuple[int, ...]
    origin: str
    goal: str
    enter: str | None = None
    leave: str | None = None
    nearby: tuple[str, ...] = ()
    clients: Network | None = None
    public: Network | None = None
    address: Network | None = None
    passive: PortRange | None = None

    @property
    def answers_hook(self) -> Builtin:
        """Where the answers are filtered."""
        opposite = {Builtin.INPUT: Builtin.OUTPUT, Builtin.OUTPUT: Builtin.INPUT}
        return opposite.get(self.hook, self.hook)

    @property
    def arrival(self) -> Builtin:
        """Where the opener's packets are met ahead of NAT."""
        return Builtin.OUTPUT if self.hook is Builtin.OUTPUT else Builtin.PREROUTING

    @property
    def opening(self) -> Match:
        """The opener's packets ahead of NAT, where they arrive or, from here, leave."""
        return Match(
            in_interface=self.enter,
            out_interface=self.leave if self.hook is Builtin.OUTPUT else None,
            source=self.clients,
            destination=self.public,
            protocol=Protocol.TCP,
        )

    @property
    def there(self) -> Match:
        """Filtered packets towards the server."""
        return Match(
            in_interface=self.enter,
            out_interface=self.leave,
            source=self.clients,
            destination=self.address,
        )

    @property
    def back(self) -> Match:
        """Filtered packets towards the client."""
        return Match(
            in_interface=self.leave,
            out_interface=self.enter,
            source=self.address,
            destination=self.clients,
        )

    @property
    def published(self) -> bool:
        """Whether the server's address is translated."""
        return self.public != self.address


@dataclass(frozen=True, slots=True)
class Plan:
    """What each table's rules are made from: a policy, seen from one family.

    ``helper`` is the conntrack helper of control connections, None with the backend
    ``none``; ``inspected``: an inspector runs; ``queued``: its packets come by our rules.
    """

    policy: Policy
    family: Family
    networks: tuple[Network, ...]
    servers: tuple[Server, ...]
    ways: tuple[Way, ...]
    helper: str | None
    inspected: bool
    queued: bool

    @property
    def translates(self) -> bool:
        """Whether clients get another address on their way out."""
        return self.policy.gateway.masquerade or self.policy.gateway.snat_to is not None


def plan(policy: Policy, family: Family, backend: Backend, helper: str | None) -> Plan:
    """The plan for one family; ``backend`` is resolved, ``helper`` its conntrack helper."""
    networks = tuple(one for one in policy.clients.allow if one.version == family.value)
    servers = tuple(one for one in policy.servers if one.address.version == family.value)
    return Plan(
        policy,
        family,
        networks,
        servers,
        (*_of_clients(policy, networks), *_of_servers(policy, servers, networks)),
        helper,
        inspected=backend in {Backend.CTHELPER, Backend.BORROWED},
        queued=backend is Backend.BORROWED,
    )


def host_network(address: Address) -> Network:
    """The network that holds one address."""
    return ip_network(address)


def _of_clients(policy: Policy, networks: tuple[Network, ...]) -> Iterator[Way]:
    outside, ports = policy.gateway.outside, policy.helper.ports
    goal = f"servers on {outside}"
    for inside, network in product(policy.gateway.inside, networks):
        origin = f"{network} on {inside}"
        yield Way(Builtin.FORWARD, ports, origin, goal, inside, outside, clients=network)
    if policy.clients.this_host:
        yield Way(Builtin.OUTPUT, ports, "this host", goal, leave=outside)


def _of_servers(
    policy: Policy, servers: tuple[Server, ...], networks: tuple[Network, ...]
) -> Iterator[Way]:
    for server in servers:
        to_it = Way(
            Builtin.FORWARD,
            (server.port,),
            f"anybody on {policy.gateway.outside}",
            str(server.public),
            enter=policy.gateway.outside,
            nearby=policy.gateway.behind,
            public=host_network(server.public),
            address=host_network(server.address),
            passive=_passive(server),
        )
        hooks = _hooks(policy, server)
        for hook in hooks:
            yield replace(to_it, hook=hook)
        for inside, network, hook in product(policy.gateway.inside, networks, hooks):
            for address in policy.addresses(server):
                yield replace(
                    to_it,
                    hook=hook,
                    origin=f"{network} on {inside}",
                    goal=str(address),
                    enter=inside,
                    clients=network,
                    public=host_network(address),
                )
        if policy.clients.this_host and to_it.published:
            yield replace(to_it, hook=Builtin.OUTPUT, origin="this host", enter=None)


def _hooks(policy: Policy, server: Server) -> tuple[Builtin, ...]:
    if server.public != server.address:
        return (Builtin.FORWARD,)
    if not policy.gateway.behind:
        return (Builtin.INPUT,)
    return (Builtin.FORWARD, Builtin.INPUT)


def _passive(server: Server) -> PortRange | None:
    ports = server.passive_ports
    return PortRange(ports[0], ports[-1]) if ports else None
