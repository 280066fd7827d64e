"""Gateways that FTP sessions cross in every way, and both ends of a session, played by hand.

    alice 10.77.1.10 --.                                        .-- 192.0.2.10 peer
                       +-- in0 10.77.1.1  gate  192.0.2.1 out0 -+
    shop  10.77.1.20 --'                                        '-- 192.0.2.11 guest

The same in IPv6: fd77:1::10, …, 2001:db8:2::10. Inside and outside are a bridge each; bridged
packets are not filtered, as on a switch. Inside hosts route by the gate; those outside
know no inside network, so nothing that is not translated comes back.
"""

from __future__ import annotations

import errno
import re
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from .netns import Namespaces, inside, run
from .sockets import PATIENCE, connect, listen, receive_line

SHUT = 0.3
"""Seconds to wait for what is dropped; what answers with a refusal is shut at once."""

REFUSALS = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES}
"""A reset, or the ICMP errors that firewalls reject with."""

FORWARDING = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")


@dataclass(frozen=True, slots=True)
class Addresses:
    """One family's addresses; ``public`` is the gate's outside."""

    family: socket.AddressFamily
    networks: tuple[str, str]
    alice: str
    shop: str
    gate: str
    public: str
    peer: str
    guest: str

    @property
    def active(self) -> tuple[str, ...]:
        """The commands for active transfers."""
        return ("PORT", "EPRT") if self.family is socket.AF_INET else ("EPRT",)

    @property
    def passive(self) -> tuple[str, ...]:
        """The commands for passive transfers."""
        return ("PASV", "EPSV") if self.family is socket.AF_INET else ("EPSV",)


IPV4 = Addresses(
    socket.AF_INET,
    ("10.77.1.0/24", "192.0.2.0/24"),
    "10.77.1.10",
    "10.77.1.20",
    "10.77.1.1",
    "192.0.2.1",
    "192.0.2.10",
    "192.0.2.11",
)
IPV6 = Addresses(
    socket.AF_INET6,
    ("fd77:1::/64", "2001:db8:2::/64"),
    "fd77:1::10",
    "fd77:1::20",
    "fd77:1::1",
    "2001:db8:2::1",
    "2001:db8:2::10",
    "2001:db8:2::11",
)
BOTH = (IPV4, IPV6)


@dataclass(frozen=True, slots=True)
class Town:
    """The namespaces of the drawing above."""

    alice: str
    shop: str
    gate: str
    peer: str
    guest: str


def build_town(namespaces: Namespaces) -> Town:
    """Five hosts, joined as drawn; the gate forwards."""
    town = Town(*(namespaces.create(role) for role in ("alice", "shop", "gate", "peer", "guest")))
    _bridge(namespaces, town.gate, "in0", {"alice": town.alice, "shop": town.shop})
    _bridge(namespaces, town.gate, "out0", {"peer": town.peer, "guest": town.guest})
    for at in BOTH:
        lengths = [network.partition("/")[2] for network in at.networks]
        namespaces.address(town.gate, "in0", f"{at.gate}/{lengths[0]}")
        namespaces.address(town.gate, "out0", f"{at.public}/{lengths[1]}")
        for host, address in ((town.alice, at.alice), (town.shop, at.shop)):
            namespaces.address(host, "eth0", f"{address}/{lengths[0]}")
            namespaces.route(host, at.gate)
        for host, address in ((town.peer, at.peer), (town.guest, at.guest)):
            namespaces.address(host, "eth0", f"{address}/{lengths[1]}")
    run(town.gate, "sysctl", "-qw", *FORWARDING)
    return town


def _bridge(namespaces: Namespaces, gate: str, name: str, hosts: dict[str, str]) -> None:
    run(gate, "ip", "link", "add", name, "type", "bridge")
    run(gate, "ip", "link", "set", name, "up")
    for port, host in hosts.items():
        namespaces.link(gate, port, host, "eth0")
        run(gate, "ip", "link", "set", port, "master", name)


@dataclass(frozen=True, slots=True)
class Session:
    """One control connection, seen from both ends, and where both ends are.

    ``near`` and ``far`` are the client's and the server's own addresses, ``known`` is the
    server's address as the client knows it, ``seen`` the client's as the server does.
    """

    client_host: str
    server_host: str
    client: socket.socket
    server: socket.socket

    @property
    def near(self) -> str:
        return str(self.client.getsockname()[0])

    @property
    def far(self) -> str:
        return str(self.server.getsockname()[0])

    @property
    def known(self) -> str:
        return str(self.client.getpeername()[0])

    @property
    def seen(self) -> str:
        return str(self.server.getpeername()[0])

    def say(self, line: bytes) -> bytes:
        """The client sends a line; what reaches the server."""
        self.client.sendall(line)
        return receive_line(self.server)

    def answer(self, line: bytes) -> bytes:
        """The server sends a line; what reaches the client."""
        self.server.sendall(line)
        return receive_line(self.client)

    def client_listens(self, port: int = 0) -> socket.socket:
        return inside(self.client_host, lambda: listen(self.near, port))

    def server_listens(self, port: int = 0) -> socket.socket:
        return inside(self.server_host, lambda: listen(self.far, port))

    def ask_active(self, verb: str, port: int) -> tuple[str, int]:
        """The client announces its own address; the endpoint that the server is told."""
        return endpoint(self.say(announcement(verb, self.near, port)), self.seen)

    def offer_passive(self, verb: str, port: int, host: str | None = None) -> tuple[str, int]:
        """The server announces its own address, or ``host``; what the client is told."""
        assert self.say(f"{verb}\r\n".encode()) == f"{verb}\r\n".encode()
        return endpoint(self.answer(announcement(verb, host or self.far, port)), self.known)


@contextmanager
def session(
    client: str,
    server: str,
    to: str,
    port: int = 21,
    *,
    at: str | None = None,
    source: tuple[str, int] | None = None,
) -> Iterator[Session]:
    """A control connection, logged in; the server listens at ``at``, else at ``to``."""
    with ExitStack() as stack:
        with inside(server, lambda: listen(at or to, port)) as listener:
            near = stack.enter_context(inside(client, lambda: connect(to, port, source=source)))
            far = stack.enter_context(listener.accept()[0])
        far.settimeout(PATIENCE)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talk = Session(client, server, near, far)
        _log_in(talk)
        yield talk


def _log_in(talk: Session) -> None:
    for speak, line in (
        (talk.answer, b"220 Ready.\r\n"),
        (talk.say, b"USER anonymous\r\n"),
        (talk.answer, b"331 Any password.\r\n"),
        (talk.say, b"PASS me@example.net\r\n"),
        (talk.answer, b"230 Come in.\r\n"),
    ):
        assert speak(line) == line


def active(talk: Session, verb: str) -> tuple[str, int]:
    """An active transfer of which the client's port was shut before; the endpoint told.

    The data comes from the address that the client knows the server by.
    """
    with talk.client_listens() as listener:
        port = listener.getsockname()[1]
        require_shut(talk.server_host, talk.seen, port, listener)
        told = talk.ask_active(verb, port)
        assert talk.answer(b"200 Okay.\r\n") == b"200 Okay.\r\n"
        came_from = exchange(talk.server_host, told, listener)
        assert came_from == talk.known
    require_alive(talk)
    return told


def passive(talk: Session, verb: str, host: str | None = None) -> tuple[str, int]:
    """A passive transfer of which the server's port was shut before; the endpoint told."""
    with talk.server_listens() as listener:
        port = listener.getsockname()[1]
        require_shut(talk.client_host, talk.known, port, listener)
        told = talk.offer_passive(verb, port, host)
        came_from = exchange(talk.client_host, told, listener)
        assert came_from == talk.seen
    require_alive(talk)
    return told


def exchange(opener: str, to: tuple[str, int], listener: socket.socket) -> str:
    """Bytes cross a data connection both ways; where the listener saw it come from."""
    with inside(opener, lambda: connect(*to)) as data:
        accepted, source = listener.accept()
        with accepted:
            accepted.settimeout(PATIENCE)
            data.sendall(b"up\n")
            assert receive_line(accepted) == b"up\n"
            accepted.sendall(b"down\n")
            assert receive_line(data) == b"down\n"
    return str(source[0])


def require_shut(opener: str, host: str, port: int, listener: socket.socket) -> None:
    """Nobody gets to a port that was not negotiated."""
    with pytest.raises(OSError) as refused:  # noqa: PT011
        inside(opener, lambda: connect(host, port, timeout=SHUT))
    assert isinstance(refused.value, TimeoutError) or refused.value.errno in REFUSALS
    assert not select.select([listener], [], [], 0)[0]


def require_alive(talk: Session) -> None:
    """The control connection goes on in both directions: its numbers are right."""
    assert talk.say(b"NOOP\r\n") == b"NOOP\r\n"
    assert talk.answer(b"200 Zzz\r\n") == b"200 Zzz\r\n"


def announcement(verb: str, host: str, port: int) -> bytes:
    """What announces an endpoint: the command, or the reply to it."""
    numbers = f"{host.replace('.', ',')},{port >> 8},{port & 255}"
    extended = f"|{2 if ':' in host else 1}|{host}|{port}|"
    lines = {
        "PORT": f"PORT {numbers}",
        "EPRT": f"EPRT {extended}",
        "PASV": f"227 Entering Passive Mode ({numbers}).",
        "EPSV": f"229 Entering Extended Passive Mode (|||{port}|)",
    }
    return f"{lines[verb]}\r\n".encode()


def endpoint(line: bytes, known: str) -> tuple[str, int]:
    """The endpoint in an announcement; 229 means the address that is known already."""
    text = line.decode()
    if numbers := re.search(r"(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)", text):
        *host, high, low = numbers.groups()
        return ".".join(host), int(high) * 256 + int(low)
    extended = re.search(r"\|\d?\|([^|]*)\|(\d+)\|", text)
    assert extended, text
    return str(ip_address(extended[1] or known)), int(extended[2])
