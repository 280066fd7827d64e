"""Fixtures for tests that need root: namespaces, and a client - gateway - server network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from .leftovers import GUEST, Snapshot, left, snapshot
from .netns import Namespaces, require_program, require_root, run


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Helpers are registered for the whole host: tests with one of ours take turns."""
    for item in items:
        if "cthelper" in item.name:
            item.add_marker(pytest.mark.xdist_group("cthelper"))


BEFORE = pytest.StashKey[Snapshot]()
LEFT = pytest.StashKey[list[tuple[str, str]]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Note what of ours is on the host, in the process that outlives the others.

    A virtual machine made for the run, where tests do as an administrator does, keeps it; where
    tests are only named, nothing of theirs can be left.
    """
    given_away = (GUEST / "status").exists() or session.config.option.collectonly
    if not given_away and not hasattr(session.config, "workerinput"):
        session.config.stash[BEFORE] = snapshot()


ENDS_WITHIN = 5.0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that leaves something behind has failed, whatever its tests say."""
    before = session.config.stash.get(BEFORE, None)
    if before is not None:
        for _ in range(int(ENDS_WITHIN / 0.1)):
            session.config.stash[LEFT] = left(before, snapshot())
            if not session.config.stash[LEFT]:
                return
            time.sleep(0.1)  # what has been told to end may take a moment
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left."""
    found = terminalreporter.config.stash.get(LEFT, None)
    if found is None:
        return
    if not found:
        terminalreporter.write_line("nothing is left behind on this host")
        return
    terminalreporter.section("left behind on this host", red=True)
    for kind, name in found:
        terminalreporter.write_line(f"{kind:10} {name}")


@dataclass(frozen=True, slots=True)
class GatewayNet:
    """The names of three namespaces, joined as a client, a gateway and a server.

        client 10.77.1.10 - 10.77.1.1 (in0) gateway (out0) 192.0.2.1 - 192.0.2.10 server
            fd77:1::10        fd77:1::1               2001:db8:2::1  2001:db8:2::10

    The gateway forwards; the server has no route to the client's network, so
    connections work only once the gateway translates them.
    """

    client: str
    gateway: str
    server: str


@contextmanager
def made_namespaces() -> Iterator[Namespaces]:
    """Namespaces for as long as they are needed: a test, or all of a module's."""
    require_root()
    require_program("ip")
    made = Namespaces()
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture
def namespaces() -> Iterator[Namespaces]:
    with made_namespaces() as made:
        yield made


@pytest.fixture
def gateway_net(namespaces: Namespaces) -> GatewayNet:
    return joined(namespaces)


def joined(namespaces: Namespaces, gateway: str | None = None) -> GatewayNet:
    """One more such network; they know nothing of each other. ``gateway``: one that is there."""
    gateway = gateway or namespaces.create("gateway")
    net = GatewayNet(namespaces.create("client"), gateway, namespaces.create("server"))
    namespaces.link(net.client, "eth0", net.gateway, "in0")
    namespaces.link(net.gateway, "out0", net.server, "eth0")
    namespaces.address(net.client, "eth0", "10.77.1.10/24", "fd77:1::10/64")
    namespaces.address(net.gateway, "in0", "10.77.1.1/24", "fd77:1::1/64")
    namespaces.address(net.gateway, "out0", "192.0.2.1/24", "2001:db8:2::1/64")
    namespaces.address(net.server, "eth0", "192.0.2.10/24", "2001:db8:2::10/64")
    namespaces.route(net.client, "10.77.1.1", "fd77:1::1")
    forwarding = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    run(net.gateway, "sysctl", "-qw", *forwarding)
    return net
