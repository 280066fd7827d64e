"""The lab's hosts, addresses and links, as data.

    client ────────── gateway ────────── server
    10.77.1.10   10.77.1.1  192.0.2.1    192.0.2.10  vsftpd
                                         192.0.2.11  scripted server

192.0.2.0/24 is TEST-NET-1 (RFC 5737). The server has no route to 10.77.1.0/24, so what
reaches it without source NAT gets no answer. Shells build this with network namespaces;
a topology that names an unknown interface, or links two that share no network, is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
    ip_address,
    ip_interface,
)

_NAMESPACE = re.compile(r"ftpfw-(?P<pid>[0-9]+)-.+")


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a link; the first address is the one that others are told."""

    name: str
    addresses: tuple[IPv4Interface | IPv6Interface, ...]


@dataclass(frozen=True, slots=True)
class Host:
    """A machine of the lab. ``forwards`` makes it a router (ip_forward)."""

    name: str
    interfaces: tuple[Interface, ...]
    default_route: IPv4Address | IPv6Address | None = None
    forwards: bool = False

    def interface(self, name: str) -> Interface:
        """The interface of that name; ValueError where there is none."""
        for interface in self.interfaces:
            if interface.name == name:
                return interface
        raise ValueError(f"host {self.name} has no interface {name}")


@dataclass(frozen=True, slots=True)
class End:
    """Where a link is plugged in."""

    host: str
    interface: str


@dataclass(frozen=True, slots=True)
class Topology:
    """Hosts and the links between them; each link joins two interfaces."""

    hosts: tuple[Host, ...]
    links: tuple[tuple[End, End], ...]

    def __post_init__(self) -> None:
        for left, right in self.links:
            if not self._networks(left) & self._networks(right):
                raise ValueError(f"{left} and {right} are linked but share no network")

    def _networks(self, end: End) -> set[object]:
        interface = self.host(end.host).interface(end.interface)
        return {address.network for address in interface.addresses}

    def host(self, name: str) -> Host:
        """The host of that name; ValueError where there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise ValueError(f"no host {name} in this topology")

    def address(self, host: str, interface: str, number: int = 0) -> str:
        """An address of an interface as text, without its prefix length."""
        return str(self.host(host).interface(interface).addresses[number].ip)


NAT_GATEWAY = Topology(
    hosts=(
        Host(
            "client",
            (Interface("eth0", (ip_interface("10.77.1.10/24"),)),),
            default_route=ip_address("10.77.1.1"),
        ),
        Host(
            "gateway",
            (
                Interface("inside0", (ip_interface("10.77.1.1/24"),)),
                Interface("outside0", (ip_interface("192.0.2.1/24"),)),
            ),
            forwards=True,
        ),
        Host(
            "server",
            (Interface("eth0", (ip_interface("192.0.2.10/24"), ip_interface("192.0.2.11/24"))),),
        ),
    ),
    links=(
        (End("client", "eth0"), End("gateway", "inside0")),
        (End("gateway", "outside0"), End("server", "eth0")),
    ),
)


def namespace_name(pid: int, copy: str, host: str) -> str:
    """The network namespace of ``host`` in one copy of a topology that process ``pid`` runs."""
    return f"ftpfw-{pid}-{copy}-{host}"


def namespace_owner(namespace: str) -> int | None:
    """The process that made a namespace or directory of this name; None where it is not ours."""
    found = _NAMESPACE.fullmatch(namespace)
    return int(found["pid"]) if found else None
