"""Conntrack's events, live: what is told of, what is left out, and when too much comes."""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ftpfw.conntrack.events import ConntrackEvents
from ftpfw.conntrack.model import TcpState
from ftpfw.conntrack.wire_event import (
    ConntrackEvent,
    Destroy,
    Event,
    ExpectDestroy,
    ExpectEvent,
    ExpectNew,
    Group,
    Lost,
    New,
    Update,
)
from tests.unit.table import table

from .netns import inside, require_program, run
from .test_ctnetlink import PASSIVE_PORT, Gateway, bare, gateway

__all__ = ["bare", "gateway"]

PATIENCE = 5.0


@pytest.fixture
def events(gateway: Gateway) -> Iterator[ConntrackEvents]:
    with inside(gateway.net.gateway, lambda: ConntrackEvents([*Group])) as opened:
        yield opened


def until(events: ConntrackEvents, enough: Callable[[Event], bool]) -> list[Event]:
    """The events up to the one that is waited for."""
    seen: list[Event] = []
    while not (seen and enough(seen[-1])):
        assert select.select([events], [], [], PATIENCE)[0], f"after {seen}"
        for event in events.read():
            seen.append(event)
            if enough(event):
                break
    return seen


def is_gone(event: Event) -> bool:
    return isinstance(event, Destroy)


def test_life_of_a_data_connection(gateway: Gateway, events: ConntrackEvents) -> None:
    run(gateway.net.gateway, "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1")
    master = gateway.control_connection()
    expectation = gateway.passive(master)
    listener = gateway.listen(gateway.net.server, gateway.family.server, PASSIVE_PORT)
    gateway.ct.add_expectation(expectation)
    to = (gateway.family.server, PASSIVE_PORT)
    client = gateway.connect(gateway.net.client, to, (gateway.family.client, 0))
    server, _ = listener.accept()
    with client, server:
        client.close()
        assert server.recv(1) == b""
    seen = until(
        events,
        lambda event: isinstance(event, Update) and event.conntrack.tcp_state is TcpState.TIME_WAIT,
    )
    expected = [event.expectation for event in seen if isinstance(event, ExpectEvent)]
    assert [(one.master, one.tuple) for one in expected] == [(master, expectation.tuple)] * 2
    (new,) = (event.conntrack for event in seen if isinstance(event, New))
    assert new.master == master
    assert new.original.dport == PASSIVE_PORT
    assert new.reply.dst == gateway.outside, "its tuples are as NAT has made them"
    assert {event.conntrack.id for event in seen if isinstance(event, ConntrackEvent)} == {new.id}
    assert [type(event) for event in seen[:3]] == [ExpectNew, ExpectDestroy, New]
    require_program("conntrack")
    family = "ipv4" if gateway.family.number == socket.AF_INET else "ipv6"
    of_data = ("-f", family, "-p", "tcp", "--dport", str(PASSIVE_PORT))
    run(gateway.net.gateway, "conntrack", "-D", *of_data)
    gone = until(events, is_gone)[-1]
    assert isinstance(gone, Destroy)
    assert gone.conntrack.id == new.id
    assert gone.conntrack.counters is not None
    there, back = (one.packets for one in gone.conntrack.counters)
    assert there == 4, "a handshake and two ends"
    assert back in {2, 3}, "a server that is slow to end acknowledges the client's end before"


def test_other_connections_wake_nobody(gateway: Gateway, events: ConntrackEvents) -> None:
    """A burst of connections to a server that answers at once, and a data connection."""
    script = (
        "import socket, sys\n"
        "for _ in range(300):\n"
        "    socket.create_connection((sys.argv[1], 80)).close()\n"
    )
    listener = gateway.listen(gateway.net.server, gateway.family.server, 80)
    listener.listen(300)
    run(gateway.net.client, sys.executable, "-c", script, gateway.family.server)
    tracked = [one for one in gateway.ct.list_conntracks() if one.original.dport == 80]
    assert len(tracked) == 300, "they came through this gateway"
    assert select.select([events], [], [], 0) == ([], [], [])
    gateway.listen(gateway.net.server, gateway.family.server, PASSIVE_PORT)
    gateway.ct.add_expectation(gateway.passive(gateway.control_connection()))
    to = (gateway.family.server, PASSIVE_PORT)
    gateway.connect(gateway.net.client, to, (gateway.family.client, 0))
    seen = until(events, lambda event: isinstance(event, New))
    assert len(seen) == 3


def test_more_than_the_socket_takes_is_told_as_lost(
    gateway: Gateway, events: ConntrackEvents
) -> None:
    exp = gateway.passive(gateway.control_connection())
    for _ in range(6000):
        gateway.ct.add_expectation(exp)
        gateway.ct.delete_expectation(exp)
    seen = until(events, lambda event: isinstance(event, Lost))
    assert len(seen) > 500, "what came before is not lost"
    gateway.ct.add_expectation(exp)
    assert until(events, lambda event: isinstance(event, ExpectNew)), "and it goes on"


GROUPS = [
    ("new expectations", Group.EXP_NEW, [ExpectNew]),
    ("ended expectations", Group.EXP_DESTROY, [ExpectDestroy]),
]


@pytest.mark.usefixtures("events")  # nf_conntrack_events=2: of what began unheard none are made
@pytest.mark.parametrize(("group", "kinds"), **table(GROUPS))
def test_only_groups_that_were_joined_are_told(
    gateway: Gateway, group: Group, kinds: list[type]
) -> None:
    exp = gateway.passive(gateway.control_connection())
    with inside(gateway.net.gateway, lambda: ConntrackEvents([group])) as events:
        gateway.ct.add_expectation(exp)
        gateway.ct.delete_expectation(replace(exp, id=0))
        assert [type(event) for event in events.read()] == kinds


def test_kernel_that_makes_no_events_is_told_of(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    run(gateway.net.gateway, "sysctl", "-qw", "net.netfilter.nf_conntrack_events=0")
    inside(gateway.net.gateway, lambda: ConntrackEvents([Group.NEW])).close()
    (record,) = caplog.records
    assert "nf_conntrack_events=1" in record.message
