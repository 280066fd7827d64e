"""Hosts, addresses and links of an exercise, as data.

Shells build this with network namespaces, or find it on virtual machines; a topology that names
an unknown interface, or links two that share no network, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
    ip_address,
    ip_interface,
)

from ftpfw.ruleset.toml_lines import KeyPath, Source

_NAME = re.compile(r"[a-z][a-z0-9-]{0,11}")
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
    default_routes: tuple[IPv4Address | IPv6Address, ...] = ()
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

    def __str__(self) -> str:
        return f"{self.host}:{self.interface}"


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


RawHost = tuple[Mapping[str, Sequence[str]], Sequence[str], bool]
"""A host as a file has it: addresses by interface, default routes, whether it forwards."""


def read_topology(
    hosts: Mapping[str, RawHost], links: Sequence[tuple[str, str]], source: Source
) -> Topology:
    """A topology of what a file says; PolicyError with the line of what is wrong in it."""
    made = tuple(_host(name, raw, source) for name, raw in hosts.items())
    plugged = tuple((_end(left), _end(right)) for left, right in links)
    try:
        return Topology(made, plugged)
    except ValueError as error:
        mend = 'links = [["client:eth0", "gateway:inside0"]], each end in the other\'s network'
        raise source.error(("links",), str(error), mend=mend) from None


def _host(name: str, raw: RawHost, source: Source) -> Host:
    interfaces, routes, forwards = raw
    path: KeyPath = ("hosts", name)
    if not _NAME.fullmatch(name):
        mend = "small letters, digits and -, at most 12"
        raise source.error(path, f"{name!r} is no name for a host", mend=mend)
    for interface in interfaces:
        if not _NAME.fullmatch(interface):
            mend = "small letters, digits and -, at most 12"
            raise source.error(path, f"{interface!r} is no name for an interface", mend=mend)
    try:
        made = tuple(
            Interface(interface, tuple(map(ip_interface, addresses)))
            for interface, addresses in interfaces.items()
        )
        return Host(name, made, tuple(map(ip_address, routes)), forwards)
    except ValueError as error:
        mend = 'eth0 = ["10.77.1.10/24"], route = ["10.77.1.1"]'
        raise source.error(path, str(error), mend=mend) from None


def _end(text: str) -> End:
    host, _, interface = text.partition(":")
    return End(host, interface)


def namespace_name(pid: int, copy: str, host: str) -> str:
    """The network namespace of ``host`` in one copy of a topology that process ``pid`` runs."""
    return f"ftpfw-{pid}-{copy}-{host}"


def namespace_owner(namespace: str) -> int | None:
    """The process that made a namespace or directory of this name; None where it is not ours."""
    found = _NAMESPACE.fullmatch(namespace)
    return int(found["pid"]) if found else None
