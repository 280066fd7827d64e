"""Where control connections begin and end, as firewalld's rules have to tell them apart.

    clients.allow       inside → outside
    clients.this_host   from here → outside
    [[server]]          outside → the server, and from the clients inside; ``this_host`` too,
                        where it is published behind another address

A server whose public address is its own is routed or runs here, and only the routing table
knows which: it has both reaches, except where there is no inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from ftpfw.ruleset.policy import Address, Network, Policy, Server

VERSIONS = (4, 6)


@dataclass(frozen=True, slots=True)
class Reach:
    """Control connections of one IP version to ``ports``.

    ``enter`` and ``leave`` are the interfaces by which the opener's packets come and go; none:
    they start, or end, on this host. ``clients`` None is anybody, ``server`` None any server.
    """

    version: int
    enter: tuple[str, ...]
    leave: tuple[str, ...]
    ports: tuple[int, ...]
    clients: Network | None = None
    server: Server | None = None

    @property
    def published(self) -> bool:
        """Whether the server's address is translated."""
        return self.server is not None and self.server.public != self.server.address

    @property
    def public(self) -> Address | None:
        """The server's address as the client sees it; None: any."""
        return self.server.public if self.server else None

    @property
    def passive(self) -> range | None:
        """The server's passive ports."""
        return self.server.passive_ports if self.server else None

    @property
    def origin(self) -> str:
        """Who opens them, in a sentence."""
        if not self.enter:
            return "this host"
        return str(self.clients or "anybody") + " on " + " and ".join(self.enter)

    @property
    def goal(self) -> str:
        """What they are opened to, in a sentence."""
        return str(self.server.public) if self.server else f"servers on {self.leave[0]}"


def reaches(policy: Policy) -> tuple[Reach, ...]:
    """Every reach of the policy; those of clients first."""
    return (*_of_clients(policy), *_of_servers(policy))


def versions(policy: Policy) -> tuple[int, ...]:
    """The IP versions that the policy speaks of; this host is of both."""
    found = {reach.version for reach in reaches(policy)}
    return tuple(version for version in VERSIONS if version in found)


def between_zones(reach: Reach) -> bool:
    """Whether a policy of firewalld's that stands between zones accepts them."""
    return bool(reach.enter and reach.leave) and not reach.published


def inside_networks(policy: Policy, version: int) -> Iterator[Network]:
    """The clients' networks, and the servers that are in none of them."""
    networks = [one for one in policy.clients.allow if one.version == version]
    yield from networks
    for server in policy.servers:
        address = server.address
        if address.version == version and not any(address in network for network in networks):
            yield ip_network(address)


def _of_clients(policy: Policy) -> Iterator[Reach]:
    inside, outside, ports = policy.gateway.inside, policy.gateway.outside, policy.helper.ports
    for network in policy.clients.allow:
        yield Reach(network.version, inside, (outside,), ports, network)
    if policy.clients.this_host:
        for version in VERSIONS:
            yield Reach(version, (), (outside,), ports)


def _of_servers(policy: Policy) -> Iterator[Reach]:
    inside, outside = policy.gateway.inside, policy.gateway.outside
    for server in policy.servers:
        version, ports = server.address.version, (server.port,)
        networks = [one for one in policy.clients.allow if one.version == version]
        for leave in _ends(policy, server):
            yield Reach(version, (outside,), leave, ports, None, server)
            for network in networks:
                yield Reach(version, inside, leave, ports, network, server)
        if policy.clients.this_host and server.public != server.address:
            yield Reach(version, (), inside, ports, None, server)


def _ends(policy: Policy, server: Server) -> tuple[tuple[str, ...], ...]:
    inside = policy.gateway.inside
    if server.public != server.address:
        return (inside,)
    return (inside, ()) if inside else ((),)
