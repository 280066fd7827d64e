"""A server behind a gateway that publishes it, as the policies of ``server generate`` name it.

client 192.0.2.20 - 192.0.2.1 (eth0) gateway (eth1) 10.0.2.1 - 10.0.2.10 server
       2001:db8:2::20  2001:db8:2::1         2001:db8:3::1  2001:db8:3::10
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

from .conftest import GatewayNet, made_namespaces
from .netns import run

CLIENT, OUTSIDE = "192.0.2.20", IPv4Address("192.0.2.1")
SERVER, SERVER6 = "10.0.2.10", "2001:db8:3::10"


@contextmanager
def published_net() -> Iterator[GatewayNet]:
    """The namespaces, for as long as they are needed."""
    with made_namespaces() as made:
        net = GatewayNet(made.create("client"), made.create("gateway"), made.create("server"))
        made.link(net.client, "eth0", net.gateway, "eth0")
        made.link(net.gateway, "eth1", net.server, "eth0")
        made.address(net.client, "eth0", f"{CLIENT}/24", "2001:db8:2::20/64")
        made.address(net.gateway, "eth0", f"{OUTSIDE}/24", "2001:db8:2::1/64")
        made.address(net.gateway, "eth1", "10.0.2.1/24", "2001:db8:3::1/64")
        made.address(net.server, "eth0", f"{SERVER}/24", f"{SERVER6}/64")
        made.route(net.server, "10.0.2.1", "2001:db8:3::1")
        made.route(net.client, "2001:db8:2::1")
        forwarding = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        run(net.gateway, "sysctl", "-qw", *forwarding)
        yield net
