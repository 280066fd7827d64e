"""What a hostile host outside tries at a published server, live: nothing opens for it."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP

from ftpfw.ruleset.policy import Backend

from .loading import loaded
from .netns import Namespaces, inside, require_program, run
from .paths import IPV4, SHUT, Session, Town, build_town, require_shut, session
from .rules_host import require_helper
from .sockets import PATIENCE, listen

POLICY = f"""\
[gateway]
inside = ["in0"]
outside = "out0"
[helper]
backend = "borrowed"
[[server]]
address = "{IPV4.shop}"
public = "{IPV4.public}"
"""

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, SEND_QUEUE = 19, 20, 21, 2
"""linux/tcp.h; Python's socket module has none of them."""


@pytest.fixture
def town(namespaces: Namespaces, tmp_path: Path) -> Iterator[Town]:
    """The town, its gate loaded with a published server."""
    require_program("iptables-legacy", "conntrack")
    require_helper(Backend.BORROWED)
    with ExitStack() as stack:
        built = build_town(namespaces)
        stack.enter_context(loaded(built.gate, POLICY, tmp_path / "gate"))
        yield built


def test_a_connection_that_conntrack_has_lost_is_not_taken_up_in_its_middle(town: Town) -> None:
    """The client ends it for the gateway alone, by an RST that dies there, and goes on.

    Read anew, the rest of a reply that names the client's own words passes for a reply.
    """
    run(town.gate, "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_close=1")
    with session(town.peer, town.shop, IPV4.public, at=IPV4.shop) as talk:
        inside(town.peer, lambda: end_at_the_gate(talk))
        wait_until_forgotten(town.gate)
        talk.client.sendall(b"NOOP\r\n")
        assert not select.select([talk.server], [], [], SHUT)[0]


def end_at_the_gate(talk: Session) -> None:
    """An RST with the very sequence number that comes next, of one hop to live."""
    client = talk.client
    client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, SEND_QUEUE)
    seq = client.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & 0xFFFFFFFF
    client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, -1)
    source, sport = client.getsockname()[:2]
    rst = IP(src=source, dst=talk.known, ttl=1) / TCP(sport=sport, dport=21, seq=seq, flags="R")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(bytes(rst), (talk.known, 0))


def wait_until_forgotten(gate: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while "dport=21" in run(gate, "conntrack", "-L", "-p", "tcp"):
        assert time.monotonic() < deadline, "conntrack keeps the connection"
        time.sleep(0.1)


def test_a_published_server_is_reached_by_its_public_address_only(town: Town) -> None:
    """By its own, nobody would read what is said."""
    run(town.guest, "ip", "route", "add", IPV4.networks[0], "via", IPV4.public)
    with inside(town.shop, lambda: listen(IPV4.shop, 21)) as listener:
        require_shut(town.guest, IPV4.shop, 21, listener)
