"""Helpers, services and policies: XML files of firewalld's own.

A policy of firewalld's stands between zones; which those are, the script finds out, so
the text holds its calls in their place. Its priority is the first of all: another policy
that accepts the same connection earlier would keep the helper from it.

Rich rules name the clients' networks and the servers, which policies alone cannot; a
policy that translates has ANY for its ingress, as firewalld's iptables backend demands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ftpfw.ruleset.firewalld.reach import Reach, reaches
from ftpfw.ruleset.policy import Address, Network, Policy

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


def helpers(policy: Policy, helper: str | None) -> Iterator[XmlFile]:
    """One for each port whose service attaches the helper."""
    for port in _service_ports(policy, helper) if helper else ():
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


def services(policy: Policy, helper: str | None) -> Iterator[XmlFile]:
    """One for each port that a policy accepts."""
    for port in _service_ports(policy, helper):
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


def policies(policy: Policy, helper: str | None) -> Iterator[XmlFile]:
    """Those that have a rule, in their order."""
    rules = list(_rules(policy, helper))
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


def _service_ports(policy: Policy, helper: str | None) -> list[int]:
    used = (reach for reach in reaches(policy) if _has_service(reach, helper))
    return sorted({port for reach in used for port in reach.ports})


def _has_service(reach: Reach, helper: str | None) -> bool:
    return bool(reach.enter) and (not reach.published or _wants_nat_module(reach, helper))


def _wants_nat_module(reach: Reach, helper: str | None) -> bool:
    """Under NAT the kernel's own helper needs a second module, which services load."""
    return reach.published and reach.clients is None and bool(reach.enter) and helper == "ftp"


def _rules(policy: Policy, helper: str | None) -> _Rules:
    for reach in reaches(policy):
        yield from _translate(reach, helper) if reach.published else _accept(policy, reach, helper)
    if policy.gateway.masquerade:
        for network in policy.clients.allow:
            yield (
                NAT,
                _rich(network.version, "<masquerade/>", source=network),
                f"Clients of {network} leave with the address of {policy.gateway.outside}.",
            )


def _accept(policy: Policy, reach: Reach, helper: str | None) -> _Rules:
    """Control connections, and with no helper the ports of passive transfers."""
    place = _place(policy, reach)
    to = reach.server.address if reach.server else None
    for port in reach.ports:
        what = f'<service name="ftpfw-{port}"/>' if reach.enter else _port(str(port))
        yield (
            place,
            _rich(reach.version, what, "<accept/>", source=reach.clients, destination=to),
            f"Control connections from {reach.origin} to port {port} of {reach.goal} pass.",
        )
    if helper is None:
        ports = f"{reach.passive[0]}-{reach.passive[-1]}" if reach.passive else "1024-65535"
        yield (
            place,
            _rich(reach.version, _port(ports), "<accept/>", source=reach.clients, destination=to),
            f"Nobody reads the conversation: ports {ports} of {reach.goal} are open to"
            f" {reach.origin} for passive transfers, and active ones fail.",
        )


def _place(policy: Policy, reach: Reach) -> _Between:
    if not reach.enter:
        return HOST
    if reach.server is None:
        return OUT
    from_outside = reach.enter == (policy.gateway.outside,)
    if reach.leave:
        return ROUTE if from_outside else ROUTE_IN
    return HERE if from_outside else HERE_IN


def _translate(reach: Reach, helper: str | None) -> _Rules:
    """What comes to a server's public address goes to its own, and is accepted with that."""
    assert reach.server is not None, "only servers are published"
    place = HOST_NAT if not reach.enter else PUBLISH if reach.clients is None else HAIRPIN
    public, address = reach.server.public, reach.server.address
    ports = [str(port) for port in reach.ports]
    if helper is None and reach.passive:
        ports.append(f"{reach.passive[0]}-{reach.passive[-1]}")
    for port in ports:
        forward = f'<forward-port port="{port}" protocol="tcp" to-addr="{address}"/>'
        yield (
            place,
            _rich(reach.version, forward, source=reach.clients, destination=public),
            f"Connections from {reach.origin} to port {port} of {public} go to {address}.",
        )
    if _wants_nat_module(reach, helper):
        for number in reach.ports:
            service = f'<service name="ftpfw-{number}"/>'
            yield (
                place,
                _rich(reach.version, service, "<accept/>", destination=public),
                "Accepts nothing that is not accepted already; for its service firewalld loads"
                " nf_nat_ftp.",
            )


def _port(ports: str) -> str:
    return f'<port port="{ports}" protocol="tcp"/>'


def _rich(
    version: int,
    *elements: str,
    source: Network | None = None,
    destination: Address | None = None,
) -> str:
    named = f'<source address="{source}"/>' if source and source.prefixlen else ""
    if destination:
        named += f'<destination address="{destination}"/>'
    return f'<rule family="ipv{version}">{named}{"".join(elements)}</rule>'
