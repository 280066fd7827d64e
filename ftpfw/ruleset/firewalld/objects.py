"""Helpers, services and policies: XML files of firewalld's own.

A policy of firewalld's stands between zones; which those are, the script finds out, so
the text holds its calls in their place. Its priority is the first of all: another policy
that accepts the same connection earlier would keep the helper from it.

Rich rules name the clients' networks and the servers, which policies alone cannot; a
policy that translates has ANY for its ingress, as firewalld's iptables backend demands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ftpfw.ruleset.filtering import UNPRIVILEGED
from ftpfw.ruleset.firewalld.zones import served, zone_ways
from ftpfw.ruleset.model import Builtin, Family, PortRange
from ftpfw.ruleset.policy import Network
from ftpfw.ruleset.translation import translated_ports
from ftpfw.ruleset.ways import Plan, Way

FIRST = -32768
"""The priority of a policy that comes before all others (firewalld.policy(5))."""

ZONES = {
    "inside": "$(zones ingress $inside)",
    "outside": "$(zones ingress $outside)",
    "to inside": "$(zones egress $inside)",
    "to outside": "$(zones egress $outside)",
}
"""What the script puts in the place of our names for zones."""


@dataclass(frozen=True, slots=True)
class XmlFile:
    """One file below firewalld's configuration directory, and the sentence above it."""

    path: str
    lines: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class _Between:
    """A policy's name, its zones as ``ZONES`` has them, or ANY or HOST, and its purpose."""

    name: str
    ingress: str
    egress: str
    why: str


OUT = _Between("out", "inside", "to outside", "Clients inside reach FTP servers outside.")
NAT = _Between("nat", "ANY", "to outside", "Clients inside leave with the outside address.")
ROUTE = _Between("route", "outside", "to inside", "Servers inside are reached from outside.")
ROUTE_IN = _Between("route-in", "inside", "to inside", "Clients inside reach those servers, too.")
HERE = _Between("here", "outside", "HOST", "A server on this host is reached from outside.")
HERE_IN = _Between("here-in", "inside", "HOST", "Clients inside reach it, too.")
PUBLISH = _Between("publish", "outside", "ANY", "Servers inside have a public address.")
HAIRPIN = _Between("hairpin", "inside", "ANY", "Clients inside use the public address, too.")
HOST = _Between("host", "HOST", "to outside", "This host reaches FTP servers outside.")
HOST_NAT = _Between("host-nat", "HOST", "ANY", "This host uses the public address, too.")

ORDER = (OUT, NAT, ROUTE, ROUTE_IN, HERE, HERE_IN, PUBLISH, HAIRPIN, HOST, HOST_NAT)

_Rules = Iterator[tuple[_Between, str, str]]
"""A rich rule's text with its policy, and its sentence last."""


def helpers(plans: Sequence[Plan]) -> Iterator[XmlFile]:
    """One for each port whose service attaches the helper."""
    for port, helper in _services(plans):
        if helper is None:
            continue
        yield XmlFile(
            f"helpers/ftpfw-{port}.xml",
            (
                f'<helper module="nf_conntrack_{helper}">',
                f'  <port protocol="tcp" port="{port}"/>',
                "</helper>",
            ),
            f"The conntrack helper {helper} for port {port}: firewalld makes it a ct helper"
            f" object of the type {helper}.",
        )


def services(plans: Sequence[Plan]) -> Iterator[XmlFile]:
    """One for each port that a policy accepts."""
    for port, helper in _services(plans):
        attached = (f'  <helper name="ftpfw-{port}"/>',) if helper else ()
        yield XmlFile(
            f"services/ftpfw-{port}.xml",
            (
                "<service>",
                f"  <short>FTP at port {port}</short>",
                f'  <port protocol="tcp" port="{port}"/>',
                *attached,
                "</service>",
            ),
            f"Control connections to port {port}" + (", with that helper." if helper else "."),
        )


def policies(plans: Sequence[Plan]) -> Iterator[XmlFile]:
    """Those that have a rule, in their order."""
    rules = [rule for plan in plans for rule in _rules(plan)]
    for between in ORDER:
        own = [(rule, why) for place, rule, why in rules if place is between]
        if own:
            yield _policy_file(between, own)


def _policy_file(between: _Between, rules: Iterable[tuple[str, str]]) -> XmlFile:
    def zone(element: str, name: str) -> str:
        return ZONES.get(name) or f'  <{element}-zone name="{name}"/>'

    return XmlFile(
        f"policies/ftpfw-{between.name}.xml",
        (
            f'<policy priority="{FIRST}" target="CONTINUE">',
            f"  <short>ftpfw {between.name}</short>",
            zone("ingress", between.ingress),
            zone("egress", between.egress),
            *(line for rule, why in rules for line in (f"  <!-- {why} -->", f"  {rule}")),
            "</policy>",
        ),
        between.why,
    )


def _services(plans: Sequence[Plan]) -> list[tuple[int, str | None]]:
    """Ports of services, each with the helper that there is."""
    return sorted(
        {
            (port, plan.helper)
            for plan in plans
            for way in plan.ways
            if served(way) or _wants_nat_module(way, plan.helper)
            for port in way.ports
        }
    )


def _wants_nat_module(way: Way, helper: str | None) -> bool:
    """Under NAT the kernel's own helper needs a second module, which services load."""
    return way.published and _from_outside(way) and helper == "ftp"


def _from_outside(way: Way) -> bool:
    return way.enter is not None and way.clients is None


def _rules(plan: Plan) -> _Rules:
    for way in zone_ways(plan):
        yield from _translate(plan, way) if way.published else _accept(plan, way)
    if plan.policy.gateway.masquerade:
        for network in plan.networks:
            yield (
                NAT,
                _rich(plan.family, "<masquerade/>", source=network),
                f"Clients of {network} leave with the address of {plan.policy.gateway.outside}.",
            )


def _accept(plan: Plan, way: Way) -> _Rules:
    """Control connections, and with no helper the ports of passive transfers."""
    place = _place(way)
    for port in way.ports:
        what = f'<service name="ftpfw-{port}"/>' if served(way) else _port(str(port))
        yield (
            place,
            _rich(plan.family, what, "<accept/>", source=way.clients, destination=way.address),
            f"Control connections from {way.origin} to port {port} of {way.goal} pass.",
        )
    if plan.helper is None:
        ports = _span(way.passive or UNPRIVILEGED)
        what = _port(ports)
        yield (
            place,
            _rich(plan.family, what, "<accept/>", source=way.clients, destination=way.address),
            f"Nobody reads the conversation: ports {ports} of {way.goal} are open to"
            f" {way.origin} for passive transfers, and active ones fail.",
        )


def _place(way: Way) -> _Between:
    if way.hook is Builtin.OUTPUT:
        return HOST
    if way.address is None:
        return OUT
    if way.hook is Builtin.FORWARD:
        return ROUTE if _from_outside(way) else ROUTE_IN
    return HERE if _from_outside(way) else HERE_IN


def _translate(plan: Plan, way: Way) -> _Rules:
    """What comes to a server's public address goes to its own, and is accepted with that."""
    assert way.public is not None
    assert way.address is not None, "only servers are published"
    host = way.hook is Builtin.OUTPUT
    place = HOST_NAT if host else PUBLISH if _from_outside(way) else HAIRPIN
    address = way.address.network_address
    for ports in map(_span, translated_ports(way, plan.helper)):
        forward = f'<forward-port port="{ports}" protocol="tcp" to-addr="{address}"/>'
        yield (
            place,
            _rich(plan.family, forward, source=way.clients, destination=way.public),
            f"Connections from {way.origin} to port {ports} of {way.goal} go to {address}.",
        )
    if _wants_nat_module(way, plan.helper):
        for port in way.ports:
            service = f'<service name="ftpfw-{port}"/>'
            yield (
                place,
                _rich(plan.family, service, "<accept/>", destination=way.public),
                "Accepts nothing that is not accepted already; for its service firewalld loads"
                " nf_nat_ftp.",
            )


def _port(ports: str) -> str:
    return f'<port port="{ports}" protocol="tcp"/>'


def _span(ports: PortRange) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"


def _rich(
    family: Family,
    *elements: str,
    source: Network | None = None,
    destination: Network | None = None,
) -> str:
    """``destination`` is one host."""
    named = f'<source address="{source}"/>' if source and source.prefixlen else ""
    if destination:
        named += f'<destination address="{destination.network_address}"/>'
    return f'<rule family="ipv{family.value}">{named}{"".join(elements)}</rule>'
