"""The script for firewalld, on a real firewalld with either of its backends: what FTP does through
it, what stays shut, and that nothing stays behind.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
from scapy.layers.inet import IP, TCP

from ftpfw.ruleset.policy import Backend

from .conftest import made_namespaces
from .firewalld_host import Firewalld, firewalld, script
from .netns import inside, run
from .paths import (
    BOTH,
    IPV4,
    IPV6,
    Addresses,
    Town,
    active,
    build_town,
    exchange,
    passive,
    require_alive,
    require_shut,
    session,
)
from .rules_host import require_helper
from .sockets import PATIENCE, connect, listen

City = tuple[Town, Firewalld]

GATEWAY = '[gateway]\ninside = ["in0"]\noutside = "out0"\n'
MASQUERADE = GATEWAY + "masquerade = true\n"
PASSIVE_PORTS = 'passive_ports = "50000-50001"\n'
CLIENTS = '[clients]\nallow = ["10.77.1.0/24", "fd77:1::/64"]\n'

pytestmark = pytest.mark.xdist_group("firewalld")
"""Both firewallds are started once, by one worker."""


@pytest.fixture(scope="module")
def cities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], City]]:
    """A town for each of firewalld's backends, made when asked for; its gate has a direct rule."""
    with made_namespaces() as namespaces, ExitStack() as stack:
        made: dict[str, City] = {}

        def city(backend: str) -> City:
            if backend not in made:
                town = build_town(namespaces)
                directory = tmp_path_factory.mktemp(backend)
                zones = {"in0": "internal", "out0": "public"}
                host = firewalld(town.gate, directory, backend, zones)
                made[backend] = town, stack.enter_context(host)
            return made[backend]

        yield city


@pytest.fixture
def town(cities: Callable[[str], City]) -> Town:
    return cities("nftables")[0]


@pytest.fixture
def gate(cities: Callable[[str], City]) -> Firewalld:
    return cities("nftables")[1]


def published(at: Addresses, more: str = "") -> str:
    return f'[[server]]\naddress = "{at.shop}"\npublic = "{at.public}"\n{more}'


@contextmanager
def loaded(gate: Firewalld, policy: str, backend: Backend) -> Iterator[None]:
    """The policy is firewalld's, an inspector runs if it needs one; afterwards all is as before."""
    require_helper(backend)
    files, rules, text = gate.files(), gate.rules(), script(policy, backend)
    gate.load(text)
    try:
        assert gate.rules() != rules
        if backend is Backend.BORROWED:
            with inspector(gate, policy):
                yield
        else:
            yield
    finally:
        gate.remove(text)
    assert gate.files() == files
    assert gate.rules() == rules


@contextmanager
def inspector(gate: Firewalld, policy: str) -> Iterator[None]:
    """`ftpfw helper`, which is all of ftpfw that runs beside firewalld."""
    path = gate.directory / "gateway.toml"
    path.write_text(policy + '[helper]\nbackend = "borrowed"\n')
    ready = gate.directory / "ready.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(ready))
        listener.settimeout(6 * PATIENCE)
        state = {"FTPFW_STATE_DIR": str(gate.directory / "state"), "NOTIFY_SOCKET": str(ready)}
        command = ["ip", "netns", "exec", gate.namespace, sys.executable, "-m", "ftpfw"]
        process = subprocess.Popen([*command, "helper", str(path)], env={**os.environ, **state})
        try:
            while b"READY=1" not in listener.recv(4096):
                pass
            yield
        finally:
            process.terminate()
            process.wait()
            ready.unlink()


def every_transfer(client: str, server: str, to: str, at: Addresses, own: str) -> None:
    """Active and passive, by every command; what is announced was shut before."""
    with session(client, server, to, at=own) as talk:
        for verb in at.active:
            active(talk, verb)
        for verb in at.passive:
            passive(talk, verb)


@pytest.mark.parametrize("backend", [Backend.KERNEL, Backend.BORROWED])
def test_nat_gateway_with_servers(town: Town, gate: Firewalld, backend: Backend) -> None:
    """Clients inside, on the gate and outside; servers outside, published and on the gate."""
    servers = [published(at, PASSIVE_PORTS) + here(at) for at in BOTH]
    policy = MASQUERADE + CLIENTS + "this_host = true\n" + "".join(servers)
    with loaded(gate, policy, backend):
        for at in BOTH:
            every_transfer(town.alice, town.peer, at.peer, at, at.peer)
            every_transfer(town.alice, town.shop, at.public, at, at.shop)  # hairpin
            every_transfer(town.peer, town.shop, at.public, at, at.shop)
            from_here(town, at)
            to_here(town, at)
            require_no_way_around(town, at)
            if backend is Backend.BORROWED:
                under_tls(town, at)


def test_the_other_backend_of_firewalld_s(cities: Callable[[str], City]) -> None:
    """It attaches no helper between zones, so no client inside; everything else works."""
    town, gate = cities("iptables")
    done = gate.script(script(MASQUERADE + CLIENTS, Backend.KERNEL))
    assert done.returncode == 1
    assert "attaches no helper between zones" in done.stderr
    policy = MASQUERADE + "[clients]\nthis_host = true\n" + published(IPV4) + published(IPV6)
    with loaded(gate, policy, Backend.BORROWED):
        for at in BOTH:
            every_transfer(town.peer, town.shop, at.public, at, at.shop)
            from_here(town, at)
            require_no_way_around(town, at)


def here(at: Addresses) -> str:
    return f'[[server]]\naddress = "{at.public}"\nport = 2121\n'


def from_here(town: Town, at: Addresses) -> None:
    """The gate is a client; only its own ports are shut, so only active shows anything."""
    for server, host, own in ((at.peer, town.peer, at.peer), (at.public, town.shop, at.shop)):
        with session(town.gate, host, server, at=own) as talk:
            active(talk, at.active[0])


def to_here(town: Town, at: Addresses) -> None:
    """The gate is a server, which may reach clients' ports anyway."""
    with session(town.peer, town.gate, at.public, 2121) as talk:
        for verb in at.passive:
            passive(talk, verb)


def under_tls(town: Town, at: Addresses) -> None:
    """A passive port opens to the client whose control connection has turned to TLS."""
    with inside(town.shop, lambda: listen(at.shop, 50000)) as listener:
        require_shut(town.peer, at.public, 50000, listener)
        with session(town.peer, town.shop, at.public, at=at.shop) as talk:
            assert talk.say(b"AUTH TLS\r\n") == b"AUTH TLS\r\n"
            assert talk.answer(b"234 Go on.\r\n") == b"234 Go on.\r\n"
            exchange(town.peer, (at.public, 50000), listener)
            require_shut(town.guest, at.public, 50000, listener)


def require_no_way_around(town: Town, at: Addresses) -> None:
    """By its own address a published server is not reached."""
    run(town.guest, "ip", "route", "add", at.networks[0], "via", at.public)
    with inside(town.shop, lambda: listen(at.shop, 21)) as listener:
        require_shut(town.guest, at.shop, 21, listener)
    run(town.guest, "ip", "route", "delete", at.networks[0])


def test_fixed_address_and_a_routed_server(town: Town, gate: Firewalld) -> None:
    """And what is never opened: privileged ports, to connections without their SYN, to forgers."""
    run(town.gate, "ip", "address", "add", "192.0.2.7/24", "dev", "out0")
    policy = GATEWAY + 'snat_to = "192.0.2.7"\n[clients]\nallow = ["10.77.1.0/24"]\n'
    policy += f'[[server]]\naddress = "{IPV6.shop}"\n'
    run(town.peer, "ip", "route", "add", IPV6.networks[0], "via", IPV6.public)
    with loaded(gate, policy, Backend.KERNEL):
        every_transfer(town.peer, town.shop, IPV6.shop, IPV6, IPV6.shop)
        with session(town.alice, town.peer, IPV4.peer) as talk:
            assert talk.seen == "192.0.2.7"
            active(talk, "PORT")
            with talk.client_listens(1000) as listener:
                require_shut(town.peer, *talk.ask_active("PORT", 1000), listener)
        dropped = {"--ctstate NEW": town.alice, f"-s {IPV4.networks[0]} -i out0": town.peer}
        for rule, host in dropped.items():
            before = gate.packets(rule)
            inside(host, partial(send_segment, IPV4.alice, IPV4.guest))
            assert gate.packets(rule) == before + 1
    run(town.peer, "ip", "route", "delete", IPV6.networks[0])
    run(town.gate, "ip", "address", "delete", "192.0.2.7/24", "dev", "out0")


def test_without_a_helper_passive_ports_are_open(town: Town, gate: Firewalld) -> None:
    policy = MASQUERADE + CLIENTS + "".join(published(at, PASSIVE_PORTS) for at in BOTH)
    with loaded(gate, policy, Backend.NONE):
        for at in BOTH:
            for client in (town.peer, town.alice):
                with session(client, town.shop, at.public, at=at.shop) as talk:
                    require_alive(talk)
                with inside(town.shop, partial(listen, at.shop, 50001)) as listener:
                    inside(client, partial(connect, at.public, 50001)).close()
                    listener.accept()[0].close()
            with inside(town.shop, partial(listen, at.shop, 50002)) as listener:
                require_shut(town.peer, at.public, 50002, listener)


def test_what_firewalld_cannot_load_is_taken_back(gate: Firewalld) -> None:
    files, rules = gate.files(), gate.rules()
    text = script(MASQUERADE + CLIENTS, Backend.KERNEL)
    done = gate.script(text.replace("nf_conntrack_ftp", "nf_conntrack_nobody"))
    assert done.returncode == 1
    assert done.stderr.endswith("ftpfw: nothing has been changed\n")
    assert (gate.files(), gate.rules()) == (files, rules)


def send_segment(source: str, destination: str) -> None:
    """A segment of a control connection that nobody has opened, by way of the gate."""
    segment = IP(src=source, dst=destination) / TCP(sport=4000, dport=21, flags="PA")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(bytes(segment), (destination, 0))
