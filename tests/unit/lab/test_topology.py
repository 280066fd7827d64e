from __future__ import annotations

from ipaddress import ip_interface

import pytest

from ftpfw.lab.library import find
from ftpfw.lab.topology import (
    End,
    Host,
    Interface,
    Topology,
    namespace_name,
    namespace_owner,
)

NAT_GATEWAY = find("nat-gateway").topology


def host(name: str, *addresses: str) -> Host:
    return Host(name, (Interface("eth0", tuple(map(ip_interface, addresses))),))


def test_server_is_not_told_of_the_clients_network() -> None:
    server = NAT_GATEWAY.host("server")
    client = NAT_GATEWAY.host("client").interface("eth0").addresses[0]
    assert server.default_routes == ()
    assert not any(client.ip in address.network for address in server.interface("eth0").addresses)


def test_only_the_gateway_forwards() -> None:
    assert [host.name for host in NAT_GATEWAY.hosts if host.forwards] == ["gateway"]


def test_every_interface_is_linked() -> None:
    linked = {end for link in NAT_GATEWAY.links for end in link}
    assert linked == {End(h.name, i.name) for h in NAT_GATEWAY.hosts for i in h.interfaces}


def test_ipv6_links_are_allowed() -> None:
    hosts = (host("a", "2001:db8::1/64"), host("b", "2001:db8::2/64"))
    link = (End("a", "eth0"), End("b", "eth0"))
    assert Topology(hosts, (link,)).address("b", "eth0") == "2001:db8::2"


REFUSED = [
    pytest.param("10.0.1.2/24", "eth0", "share no network", id="two networks on one link"),
    pytest.param("10.0.0.2/24", "eth1", "no interface eth1", id="unknown interface"),
]


@pytest.mark.parametrize(("address", "interface", "why"), REFUSED)
def test_refuses(address: str, interface: str, why: str) -> None:
    hosts = (host("a", "10.0.0.1/24"), host("b", address))
    with pytest.raises(ValueError, match=why):
        Topology(hosts, ((End("a", "eth0"), End("b", interface)),))


def test_refuses_an_unknown_host() -> None:
    with pytest.raises(ValueError, match="no host router"):
        NAT_GATEWAY.host("router")


def test_a_namespace_tells_who_made_it() -> None:
    assert namespace_owner(namespace_name(4242, "none", "client")) == 4242


@pytest.mark.parametrize("name", ["ftpfw", "ftpfw-x-client", "ftpfw-4242", "my-ftpfw-4242-client"])
def test_names_of_others_have_no_owner(name: str) -> None:
    assert namespace_owner(name) is None
