"""A server behind a gateway that publishes it, as the policies of ``server generate`` name it; and
one that is its own firewall, with the same addresses.

client 192.0.2.20 - 192.0.2.1 (eth0) gateway (eth1) 10.0.2.1 - 10.0.2.10 server
       2001:db8:2::20  2001:db8:2::1         2001:db8:3::1  2001:db8:3::10
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address

from .conftest import GatewayNet, made_namespaces
from .netns import run

CLIENT = "192.0.2.20"
OUTSIDE, OUTSIDE6 = IPv4Address("192.0.2.1"), IPv6Address("2001:db8:2::1")
SERVER, SERVER6 = "10.0.2.10", "2001:db8:3::10"


@contextmanager
def published_net() -> Iterator[GatewayNet]:
    """The server behind a gateway, for as long as it is needed."""
    with made_namespaces() as made:
        net = GatewayNet(made.create("client"), made.create("gateway"), made.create("server"))
        made.link(net.client, "eth0", net.gateway, "eth0")
        made.link(net.gateway, "eth1", net.server, "eth0")
        made.address(net.client, "eth0", f"{CLIENT}/24", "2001:db8:2::20/64")
        made.address(net.gateway, "eth0", f"{OUTSIDE}/24", f"{OUTSIDE6}/64")
        made.address(net.gateway, "eth1", "10.0.2.1/24", "2001:db8:3::1/64")
        made.address(net.server, "eth0", f"{SERVER}/24", f"{SERVER6}/64")
        made.route(net.server, "10.0.2.1", "2001:db8:3::1")
        made.route(net.client, "2001:db8:2::1")
        forwarding = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        run(net.gateway, "sysctl", "-qw", *forwarding)
        yield net


@contextmanager
def own_net() -> Iterator[GatewayNet]:
    """The server as its own gateway, next to the client; it lets nothing in or out.

    But for its loopback and what finds neighbours (RFC 4861).
    """
    with made_namespaces() as made:
        client, server = made.create("client"), made.create("server")
        made.link(client, "eth0", server, "eth0")
        made.address(client, "eth0", "10.0.2.20/24", "2001:db8:3::20/64")
        made.address(server, "eth0", f"{SERVER}/24", f"{SERVER6}/64")
        for program in ("iptables", "ip6tables"):
            for chain, way in (("INPUT", "-i"), ("OUTPUT", "-o")):
                run(server, program, "-P", chain, "DROP")
                run(server, program, "-A", chain, way, "lo", "-j", "ACCEPT")
        for chain in ("INPUT", "OUTPUT"):
            for kind in ("neighbour-solicitation", "neighbour-advertisement"):
                match = ("-p", "ipv6-icmp", "--icmpv6-type", kind)
                run(server, "ip6tables", "-A", chain, *match, "-j", "ACCEPT")
        yield GatewayNet(client, server, server)
