"""The gateway of a sample policy, and hosts on each of its interfaces.

An interface of the gateway is a bridge: whoever is on one side is on one switch. Everybody's
default route is the gateway, outside too, so that what is asked of a private address from there
meets the rules.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_interface

from .netns import Namespaces, inside, run
from .paths import Session, require_alive
from .probes import HERE
from .sockets import PATIENCE
from .wires import GATE_MAC, GATE_SYSCTLS

NO_DAD = ("net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.dad_transmits=0")
"""A router that has to wait for its link-local address asks for no neighbour meanwhile."""


class Neighbourhood:
    """Hosts are made when they are asked for first; each has one address."""

    def __init__(
        self, namespaces: Namespaces, addresses: Mapping[str, Sequence[str]], outside: str
    ) -> None:
        self._namespaces = namespaces
        self._addresses = addresses
        self._hosts: dict[tuple[str, str], str] = {}
        self.gate = namespaces.create("gate")
        run(self.gate, "sysctl", "-qw", *GATE_SYSCTLS, *NO_DAD)
        for name, own in addresses.items():
            # A bridge without an address of its own takes another with each new port, and who
            # has learned the last one is not heard any more.
            bridge = f"link add {name} address {GATE_MAC.hex(':')} type bridge"
            run(self.gate, "ip", *bridge.split())
            run(self.gate, "ip", "link", "set", name, "up")
            namespaces.address(self.gate, name, *own)
        for family in ("-4", "-6"):
            run(self.gate, "ip", family, "route", "add", "default", "dev", outside)

    def host(self, interface: str, address: str) -> str:
        """The namespace of the host with that address on that side; HERE is the gateway."""
        if interface == HERE:
            return self.gate
        if (interface, address) not in self._hosts:
            self._hosts[interface, address] = self._made(interface, address)
        return self._hosts[interface, address]

    def _made(self, interface: str, address: str) -> str:
        number = len(self._hosts)
        host, port = self._namespaces.create(f"h{number}"), f"port{number}"
        self._namespaces.link(self.gate, port, host, "eth0")
        run(self.gate, "ip", "link", "set", port, "master", interface)
        self._wait_until_it_forwards(port)
        version = ip_address(address).version
        own = [ip_interface(one) for one in self._addresses[interface]]
        router = next(one for one in own if one.version == version)
        near = ip_address(address) in router.network
        length = router.network.prefixlen if near else router.max_prefixlen
        self._namespaces.address(host, "eth0", f"{address}/{length}")
        family = f"-{version}"
        route = f"ip {family} route add default via {router.ip} dev eth0 onlink"
        run(host, *route.split())
        return host

    def _wait_until_it_forwards(self, port: str) -> None:
        """A bridge learns late, of a work queue, that a new port's cable is plugged in."""
        deadline = time.monotonic() + PATIENCE
        while " state forwarding " not in run(self.gate, "ip", "-d", "link", "show", port):
            assert time.monotonic() < deadline, f"{port} does not forward"
            time.sleep(0.01)


def attempt(opener: str, host: str, port: int, source: str) -> socket.socket | None:
    """Send a SYN; None where there is no way to send it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opening = inside(opener, lambda: socket.socket(family, socket.SOCK_STREAM))
    opening.setblocking(False)
    try:
        opening.bind((source, 0))
        opening.connect((host, port))
    except BlockingIOError:
        return opening
    except OSError:
        opening.close()
        return None
    return opening


def is_shut(talk: Session, opener: str, to: tuple[str, int], listener: socket.socket) -> bool:
    """Whether a SYN does not get through.

    What is said on the control connection after it has come by the same ways, on the same
    processor; so by then the SYN has come or will never.
    """
    opening = attempt(opener, *to, source=_own(talk, opener))
    require_alive(talk)
    came = bool(select.select([listener], [], [], 0)[0])
    if opening:
        opening.close()
    if came:
        listener.accept()[0].close()
    return not came


def _own(talk: Session, opener: str) -> str:
    return talk.far if opener == talk.server_host else talk.near


def exchanged(
    opener: str, source: str, to: tuple[str, int], listener: socket.socket
) -> tuple[str, int]:
    """Bytes cross a data connection both ways; where the listener saw it come from."""
    opening = inside(opener, lambda: socket.create_connection(to, PATIENCE, (source, 0)))
    with opening as data, listener.accept()[0] as accepted:
        accepted.settimeout(PATIENCE)
        for speaker, hearer, text in ((data, accepted, b"up\n"), (accepted, data, b"down\n")):
            speaker.sendall(text)
            assert hearer.recv(100) == text
        host, port = accepted.getpeername()[:2]
        return str(host), int(port)
