"""A transfer that outlasts the time that conntrack gives a silent control connection."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.model import Conntrack, Status, Tuple

from .gateway_host import (
    Gateway,
    Session,
    announced,
    gateway,
    port_line,
    session,
)
from .netns import inside, run

__all__ = ["gateway"]

LIFETIME = 4
"""Seconds that an established connection may be silent."""

GIVEN_UP = 60.0


@dataclass(frozen=True)
class Transfer:
    """A session whose data connection is open, and carries something now and then."""

    talk: Session
    data: tuple[socket.socket, socket.socket]
    kernel: Ctnetlink

    def control(self) -> Conntrack | None:
        host, port = self.talk.client.getsockname()
        server, control = self.talk.client.getpeername()
        return self.kernel.get(
            Tuple(ip_address(host).packed, port, ip_address(server).packed, control)
        )

    def goes_on_until(self, reached: Callable[[], bool], within: float = GIVEN_UP) -> None:
        """Carry a byte each quarter of a second, so that only the control connection is silent."""
        end = time.monotonic() + within
        sender, receiver = self.data
        while not reached():
            assert time.monotonic() < end, "it never comes"
            sender.sendall(b".")
            assert receiver.recv(1) == b"."
            time.sleep(0.25)

    def outlasts(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.goes_on_until(lambda: time.monotonic() > end, within=seconds + GIVEN_UP)


@contextmanager
def transfer(gateway: Gateway) -> Iterator[Transfer]:
    with ExitStack() as stack:
        talk = stack.enter_context(session(gateway))
        kernel = stack.enter_context(inside(gateway.net.gateway, Ctnetlink))
        listener = stack.enter_context(talk.client_listens())
        to = announced(talk.say(port_line(listener.getsockname()[:2])))
        sending = inside(gateway.net.server, lambda: socket.create_connection(to, 5))
        stack.enter_context(sending)
        receiving, _ = listener.accept()
        stack.enter_context(receiving).settimeout(5)
        yield Transfer(talk, (sending, receiving), kernel)


def forgetful(gateway: Gateway, seconds: int = LIFETIME) -> None:
    """Have the gateway's conntrack forget silent connections soon."""
    lifetime = f"net.netfilter.nf_conntrack_tcp_timeout_established={seconds}"
    run(gateway.net.gateway, "sysctl", "-qw", lifetime)


@pytest.fixture
def impatient(gateway: Gateway) -> Gateway:
    """A loaded gateway, which masquerades."""
    forgetful(gateway)
    gateway.done("load", gateway.policy())
    return gateway


@pytest.fixture
def routed(gateway: Gateway) -> Gateway:
    """A loaded gateway that translates nothing; the server has a route to the client."""
    forgetful(gateway)
    run(gateway.net.server, "ip", "route", "add", "10.77.1.0/24", "via", "192.0.2.1")
    policy = gateway.policy()
    policy.write_text(policy.read_text().replace("masquerade = true\n", ""))
    gateway.done("load", policy)
    return gateway


def test_control_connection_outlives_a_long_transfer(impatient: Gateway) -> None:
    with transfer(impatient) as long:
        long.outlasts(2 * LIFETIME + 1)
        assert long.talk.answer(b"226 Done.\r\n") == b"226 Done.\r\n"
        assert long.talk.say(b"NOOP\r\n") == b"NOOP\r\n"


def test_it_does_so_without_nat(routed: Gateway) -> None:
    with transfer(routed) as long:
        long.outlasts(2 * LIFETIME)
        assert long.talk.answer(b"226 Done.\r\n") == b"226 Done.\r\n"


def test_without_the_helper_it_does_not(impatient: Gateway) -> None:
    with transfer(impatient) as long:
        impatient.kill_helper()
        long.goes_on_until(lambda: long.control() is None)
        long.talk.server.sendall(b"226 Done.\r\n")
        with pytest.raises(ConnectionResetError):
            long.talk.server.recv(1)


def test_helper_that_starts_in_the_middle_adopts_the_transfer(gateway: Gateway) -> None:
    began = time.monotonic()
    gateway.done("load", gateway.policy())
    lifetime = max(LIFETIME, round(3 * (time.monotonic() - began)))  # it must last for a load
    forgetful(gateway, lifetime)
    with transfer(gateway) as long, ThreadPoolExecutor() as pool:
        gateway.kill_helper()
        loading = pool.submit(gateway.done, "load", gateway.policy())
        long.goes_on_until(loading.done)
        loading.result()
        long.outlasts(2 * lifetime + 1)
        assert long.talk.answer(b"226 Done.\r\n") == b"226 Done.\r\n"


def test_it_ends_with_the_transfer(impatient: Gateway) -> None:
    """Nothing is prolonged for ever: a control connection without a transfer times out."""
    with transfer(impatient) as long:
        long.outlasts(LIFETIME)
        for end in long.data:
            end.close()
        deadline = time.monotonic() + GIVEN_UP
        while long.control() is not None:
            assert time.monotonic() < deadline
            time.sleep(0.25)
        (data,) = long.kernel.list_conntracks(status=Status.EXPECTED)
        assert data.tcp_state is not None
        assert data.tcp_state.name == "TIME_WAIT", "it is there, and counts no more"
