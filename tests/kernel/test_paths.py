"""FTP by every path: published servers, hairpin, both NATs, none, this host itself, zones."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ftpfw.conntrack import cthelper
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.policy import Backend

from .lab_server import vsftpd
from .loading import Loaded, loaded
from .netns import Namespaces, inside, require_program, run
from .paths import (
    BOTH,
    FORWARDING,
    IPV4,
    IPV6,
    SHUT,
    Addresses,
    Session,
    Town,
    active,
    announcement,
    build_town,
    exchange,
    passive,
    require_alive,
    require_shut,
    session,
)
from .rules_host import require_helper, require_nft_queue
from .sockets import connect, listen

GATEWAY = '[gateway]\ninside = ["in0"]\noutside = "out0"\n'
HOST = '[gateway]\ninside = []\noutside = "out0"\n'
MASQUERADE = "masquerade = true\n"
CLIENTS = '[clients]\nallow = ["10.77.1.0/24", "fd77:1::/64"]\n'
THIS_HOST = "[clients]\nthis_host = true\n"


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of a town, to be loaded."""

    town: Town
    backend: str
    firewall: str
    directory: Path
    stack: ExitStack

    def load(self, *parts: str, helper: str = "") -> Loaded:
        """Load a policy; it is unloaded at the test's end."""
        head, *rest = parts
        text = f'{head}[helper]\nbackend = "{self.backend}"\n{helper}{"".join(rest)}'
        return self.stack.enter_context(loaded(self.town.gate, text, self.directory / "gate"))

    def iptables(self, at: Addresses, *rule: str) -> None:
        """A rule of the administrator's."""
        program = "iptables" if at.family is socket.AF_INET else "ip6tables"
        run(self.town.gate, f"{program}-{'nft' if self.firewall == NFTABLES else 'legacy'}", *rule)


NFTABLES = "nftables"

BACKENDS = [
    # id, and the backend and firewall that it means
    ("borrowed", "borrowed", "iptables"),
    ("cthelper", "cthelper", "iptables"),
    ("nftables-borrowed", "borrowed", NFTABLES),
    ("nftables-cthelper", "cthelper", NFTABLES),
]


@pytest.fixture(params=[row[1:] for row in BACKENDS], ids=[row[0] for row in BACKENDS])
def backed(request: pytest.FixtureRequest) -> tuple[str, str]:
    backend, firewall = request.param
    if backend == "cthelper" and not cthelper.available():
        pytest.skip("needs the kernel module nfnetlink_cthelper")
    if firewall == NFTABLES:
        require_nft_queue()
    return backend, firewall


@pytest.fixture
def gate(backed: tuple[str, str], namespaces: Namespaces, tmp_path: Path) -> Iterator[Gate]:
    with standing_gate(*backed, namespaces, tmp_path) as here:
        yield here


@contextmanager
def standing_gate(
    backend: str, firewall: str, namespaces: Namespaces, directory: Path
) -> Iterator[Gate]:
    """A gate on which nothing is loaded yet."""
    require_program("iptables-legacy", "iptables-nft", "nft", "conntrack")
    with ExitStack() as stack:
        here = Gate(build_town(namespaces), backend, firewall, directory, stack)
        if firewall == NFTABLES:  # where something of ours is, load puts the rest
            run(here.town.gate, "nft", "add", "table", "inet", "ftpfw")
        yield here


@pytest.fixture(params=BOTH, ids=["IPv4", "IPv6"])
def at(request: pytest.FixtureRequest) -> Addresses:
    addresses: Addresses = request.param
    return addresses


def published(at: Addresses, port: int = 21, more: str = "") -> str:
    return server(at.shop, f'public = "{at.public}"\nport = {port}\n{more}')


def server(address: str, more: str = "") -> str:
    return f'[[server]]\naddress = "{address}"\n{more}'


def expectations(loaded: Loaded) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(loaded.ftpfw("expect", "list", "--json"))[
        "expectations"
    ]
    return found


@pytest.mark.parametrize("program", ["iptables-legacy", "iptables-nft"])
def test_published_server(gate: Gate, at: Addresses, program: str) -> None:
    """Passive replies name the public address, and active data comes from it."""
    run(gate.town.gate, program, "-A", "INPUT", "-j", "ACCEPT")  # whose rules decide, else
    here = gate.load(GATEWAY, published(at))
    with session(gate.town.peer, gate.town.shop, at.public, at=at.shop) as talk:
        assert talk.seen == at.peer, "the server sees its clients as they are"
        for verb in at.passive:
            assert passive(talk, verb)[0] == at.public
        for verb in at.active:
            assert active(talk, verb)[0] == at.peer
    here.require_no_faults()


def test_published_server_that_announces_its_public_address(gate: Gate) -> None:
    """As ``pasv_address`` has it: right, not foreign, and nothing to rewrite."""
    gate.load(GATEWAY, published(IPV4))
    with session(gate.town.peer, gate.town.shop, IPV4.public, at=IPV4.shop) as talk:
        assert passive(talk, "PASV", IPV4.public)[0] == IPV4.public


def test_published_servers_that_take_the_same_port(gate: Gate, at: Addresses) -> None:
    """Both are behind one address: the second is published at another port, and works."""
    run(gate.town.shop, "ip", "address", "add", other_shop(at), "dev", "eth0", *nodad(at))
    second = server(other_shop(at).partition("/")[0], f'public = "{at.public}"\nport = 2121\n')
    gate.load(GATEWAY, published(at), second)
    with ExitStack() as stack:
        told = []
        for port, host in ((21, at.shop), (2121, other_shop(at).partition("/")[0])):
            talk = stack.enter_context(
                session(gate.town.peer, gate.town.shop, at.public, port, at=host)
            )
            listener = stack.enter_context(talk.server_listens(40000))
            told.append((talk, listener, talk.offer_passive(at.passive[-1], 40000)))
        assert told[0][2] == (at.public, 40000)
        assert told[1][2] != told[0][2]
        for talk, listener, where in told:
            assert exchange(gate.town.peer, where, listener) == at.peer
            require_alive(talk)


def other_shop(at: Addresses) -> str:
    return "10.77.1.21/24" if at.family is socket.AF_INET else "fd77:1::21/64"


def nodad(at: Addresses) -> tuple[str, ...]:
    return () if at.family is socket.AF_INET else ("nodad",)


def test_clients_behind_one_address_that_announce_the_same_port(gate: Gate, at: Addresses) -> None:
    """The first keeps it; each of the others is told one that is free."""
    prefix, length = at.alice.removesuffix("10"), at.networks[0].partition("/")[2]
    hosts = [at.alice, *(f"{prefix}{number}" for number in (11, 12, 13))]
    for host in hosts[1:]:
        address = f"{host}/{length}"
        run(gate.town.alice, "ip", "address", "add", address, "dev", "eth0", *nodad(at))
    gate.load(GATEWAY + MASQUERADE, CLIENTS)
    with ExitStack() as stack:
        told = []
        for host in hosts:
            talk = stack.enter_context(
                session(gate.town.alice, gate.town.peer, at.peer, source=(host, 0))
            )
            listener = stack.enter_context(talk.client_listens(40000))
            told.append((listener, talk.ask_active("EPRT", 40000)))
        assert told[0][1] == (at.public, 40000)
        assert len({where for _, where in told}) == len(hosts)
        for listener, where in told:
            assert exchange(gate.town.peer, where, listener) == at.peer


def test_both_nats_on_one_flow(gate: Gate, at: Addresses) -> None:
    """A rule of the administrator's hides clients from the published server."""
    hide = ["-A", "POSTROUTING", "-o", "in0", "-p", "tcp", "--dport", "21", "-j", "MASQUERADE"]
    gate.iptables(at, "-t", "nat", *hide)
    gate.load(GATEWAY, published(at))
    with session(gate.town.peer, gate.town.shop, at.public, at=at.shop) as talk:
        assert (talk.known, talk.seen) == (at.public, at.gate)
        for verb in at.passive:
            assert passive(talk, verb)[0] == at.public
        for verb in at.active:
            assert active(talk, verb)[0] == at.gate


def test_hairpin(gate: Gate, at: Addresses) -> None:
    """An inside client reaches its neighbour by the public address."""
    gate.load(GATEWAY + MASQUERADE, CLIENTS, published(at))
    with session(gate.town.alice, gate.town.shop, at.public, at=at.shop) as talk:
        assert (talk.known, talk.seen) == (at.public, at.gate)
        for verb in at.passive:
            assert passive(talk, verb)[0] == at.public
        for verb in at.active:
            assert active(talk, verb)[0] == at.gate


@pytest.mark.parametrize("nat", ["masquerade = true", "snat_to"])
def test_clients_behind_nat(gate: Gate, at: Addresses, nat: str) -> None:
    lines = f'snat_to = "{at.public}"' if nat == "snat_to" else nat
    allow = f'[clients]\nallow = ["{at.networks[0]}"]\n'
    gate.load(f"{GATEWAY}{lines}\n", allow)
    with session(gate.town.alice, gate.town.peer, at.peer) as talk:
        for verb in at.passive:
            assert passive(talk, verb)[0] == at.peer
        for verb in at.active:
            assert active(talk, verb)[0] == at.public


def test_plain_routing(gate: Gate, at: Addresses) -> None:
    """Clients out and a server in, and nobody's address changes."""
    gate.load(GATEWAY, CLIENTS, server(at.shop))
    family = ["-6"] if at.family is socket.AF_INET6 else []
    for host in (gate.town.peer, gate.town.guest):
        run(host, "ip", *family, "route", "add", at.networks[0], "via", at.public)
    ways = ((gate.town.alice, gate.town.peer, at.peer), (gate.town.peer, gate.town.shop, at.shop))
    for client, host, address in ways:
        with session(client, host, address) as talk:
            assert (talk.known, talk.seen) == (talk.far, talk.near)
            for verb in at.passive:
                assert passive(talk, verb)[0] == talk.far
            for verb in at.active:
                assert active(talk, verb)[0] == talk.near


def test_routed_server_among_translated_clients(gate: Gate, at: Addresses) -> None:
    """What it opens is related, and leaves with the address that its client knows."""
    gate.load(GATEWAY + MASQUERADE, CLIENTS, server(at.shop))
    family = ["-6"] if at.family is socket.AF_INET6 else []
    run(gate.town.peer, "ip", *family, "route", "add", at.networks[0], "via", at.public)
    with session(gate.town.peer, gate.town.shop, at.shop) as talk:
        for verb in at.active:
            assert active(talk, verb)[0] == at.peer


RECORD = b"\x17\x03\x03\x00\x20" + bytes(32)
"""Application data of TLS, as far as anybody in the middle can tell."""


@pytest.mark.parametrize("place", ["published", "hairpin", "routed", "here"])
def test_explicit_ftps_opens_the_server_s_passive_ports(
    gate: Gate, at: Addresses, place: str
) -> None:
    """To that client alone, and while its control connection lives."""
    town, passive_ports = gate.town, 'passive_ports = "50000-50009"\n'
    client, host, to, real, policy = {
        "published": (town.peer, town.shop, at.public, at.shop, published(at, more=passive_ports)),
        "hairpin": (town.alice, town.shop, at.public, at.shop, published(at, more=passive_ports)),
        "routed": (town.peer, town.shop, at.shop, at.shop, server(at.shop, passive_ports)),
        "here": (town.peer, town.gate, at.public, at.public, server(at.public, passive_ports)),
    }[place]
    other = town.guest if client == town.peer else town.peer
    family = ["-6"] if at.family is socket.AF_INET6 else []
    for outside in (town.peer, town.guest) if place == "routed" else ():
        run(outside, "ip", *family, "route", "add", at.networks[0], "via", at.public)
    shut_host(gate, at)
    gate.load(GATEWAY, CLIENTS, policy)
    with ExitStack() as stack:
        talk = stack.enter_context(session(client, host, to, at=real))
        inner, outer = (
            stack.enter_context(inside(host, partial(listen, real, port)))
            for port in (50009, 50010)
        )
        require_shut(client, to, 50009, inner)
        assert talk.say(b"AUTH TLS\r\n") == b"AUTH TLS\r\n"
        assert talk.answer(b"234 Proceed.\r\n") == b"234 Proceed.\r\n"
        for speaker, listener in ((talk.client, talk.server), (talk.server, talk.client)):
            speaker.sendall(RECORD)
            assert listener.recv(100) == RECORD
        for _ in range(2):
            assert exchange(client, (to, 50009), inner) == talk.seen
        require_shut(client, to, 50010, outer)
        require_shut(other, to, 50009, inner)
        end(talk)
        require_shut(client, to, 50009, inner)


def end(talk: Session) -> None:
    """Close a control connection, and know that both ends have."""
    talk.client.shutdown(socket.SHUT_WR)
    assert talk.server.recv(1) == b""
    talk.server.shutdown(socket.SHUT_WR)
    assert talk.client.recv(1) == b""


def test_client_on_this_host(gate: Gate, at: Addresses) -> None:
    """Closed but for what ftpfw accepts: the administrator's default drop is behind it."""
    shut_host(gate, at)
    gate.load(HOST, THIS_HOST)
    with session(gate.town.gate, gate.town.peer, at.peer) as talk:
        for verb in at.passive:
            assert passive(talk, verb)[0] == at.peer
        for verb in at.active:
            assert active(talk, verb)[0] == at.public


def test_server_on_this_host(gate: Gate, at: Addresses) -> None:
    shut_host(gate, at)
    gate.load(HOST, server(at.public))
    with session(gate.town.peer, gate.town.gate, at.public) as talk:
        for verb in at.passive:
            assert passive(talk, verb)[0] == at.public
        for verb in at.active:
            assert active(talk, verb)[0] == at.peer


def test_this_host_reaches_a_published_server(gate: Gate, at: Addresses) -> None:
    shut_host(gate, at)
    gate.load(GATEWAY, THIS_HOST, published(at))
    with session(gate.town.gate, gate.town.shop, at.public, at=at.shop) as talk:
        for verb in at.passive:
            assert passive(talk, verb)[0] == at.public
        for verb in at.active:
            active(talk, verb)


@pytest.mark.parametrize("firewall", ["iptables", NFTABLES])
@pytest.mark.parametrize("without", ["none", "kernel"])
def test_published_server_without_an_inspector(
    namespaces: Namespaces, tmp_path: Path, at: Addresses, without: str, firewall: str
) -> None:
    """Backend none opens the passive ports, kernel what nf_conntrack_ftp reads."""
    require_helper(Backend(without))
    with standing_gate(without, firewall, namespaces, tmp_path) as gate:
        gate.load(GATEWAY, published(at, more='passive_ports = "50000-50009"'))
        with session(gate.town.peer, gate.town.shop, at.public, at=at.shop) as talk:
            if without == "kernel":
                for verb in at.passive:
                    assert passive(talk, verb)[0] == at.public
                for verb in at.active:
                    assert active(talk, verb)[0] == at.peer
                return
            with talk.server_listens(50007) as listener:
                assert exchange(gate.town.peer, (at.public, 50007), listener) == at.peer
            with talk.server_listens(50010) as listener:
                require_shut(gate.town.peer, at.public, 50010, listener)


OTHER_FAMILY = [
    (IPV4, b"EPRT |2|fd77:1::10|40000|\r\n"),
    (IPV4, b"EPRT |2|::ffff:10.77.1.10|40000|\r\n"),
    (IPV6, b"EPRT |1|10.77.1.10|40000|\r\n"),
]


@pytest.mark.parametrize(("at", "line"), OTHER_FAMILY, ids=["|2| on IPv4", "mapped", "|1| on IPv6"])
def test_eprt_of_the_other_family_passes_and_opens_nothing(
    gate: Gate, at: Addresses, line: bytes
) -> None:
    here = gate.load(GATEWAY + MASQUERADE, CLIENTS)
    with session(gate.town.alice, gate.town.peer, at.peer) as talk:
        assert talk.say(line) == line
        assert expectations(here) == []
        require_alive(talk)
        active(talk, "EPRT")


def test_several_control_ports(gate: Gate, at: Addresses) -> None:
    """Servers outside at two ports, one published at a third; a fourth is nobody's."""
    gate.load(
        GATEWAY + MASQUERADE, CLIENTS, published(at, port=8021), helper="ports = [21, 2121]\n"
    )
    for port in (21, 2121):
        with session(gate.town.alice, gate.town.peer, at.peer, port) as talk:
            assert active(talk, "EPRT")[0] == at.public
            assert passive(talk, "EPSV")[0] == at.peer
    with session(gate.town.peer, gate.town.shop, at.public, 8021, at=at.shop) as talk:
        assert active(talk, "EPRT")[0] == at.peer
        assert passive(talk, "EPSV")[0] == at.public
    for client, to, port in ((gate.town.alice, at.peer, 8021), (gate.town.peer, at.public, 2121)):
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            inside(client, partial(connect, to, port, timeout=SHUT))


def test_data_connections_carry_the_mark_of_their_control_connection(
    gate: Gate, at: Addresses
) -> None:
    mark = ["-A", "PREROUTING", "-p", "tcp", "--dport", "21", "-j", "CONNMARK", "--set-mark", "42"]
    gate.iptables(at, "-t", "mangle", *mark)
    gate.load(GATEWAY + MASQUERADE, CLIENTS)
    with session(gate.town.alice, gate.town.peer, at.peer) as talk:
        told = [active(talk, "EPRT")[1], passive(talk, "EPSV")[1]]
    family = "ipv4" if at.family is socket.AF_INET else "ipv6"
    marked = run(gate.town.gate, "conntrack", "-L", "-f", family, "-p", "tcp", "--mark", "42")
    for port in told:
        assert f"dport={port} " in marked


def test_a_zone_of_its_own(gate: Gate, at: Addresses) -> None:
    """Control and data are all in it; a connection of another zone is not theirs."""
    here = gate.load(f"{GATEWAY}{MASQUERADE}zone = 7\n", CLIENTS, published(at))
    with session(gate.town.alice, gate.town.peer, at.peer) as talk:
        told = [active(talk, "EPRT")[1], passive(talk, "EPSV")[1]]
    with session(gate.town.peer, gate.town.shop, at.public, at=at.shop) as talk:
        told += [active(talk, "EPRT")[1], passive(talk, "EPSV")[1]]
        with talk.client_listens() as listener:
            talk.ask_active("EPRT", listener.getsockname()[1])
            assert len(expectations(here)) == 1
    family = "ipv4" if at.family is socket.AF_INET else "ipv6"
    tracked = run(gate.town.gate, "conntrack", "-L", "-f", family, "-p", "tcp")
    for line in tracked.splitlines():
        assert "zone=7 " in line
    for port in told:
        assert f"dport={port} " in tracked


def test_zones_with_the_same_addresses(gate: Gate, namespaces: Namespaces) -> None:
    """A network of another zone has the same hosts; both hold the same connection at once."""
    twin = other_zone(gate, namespaces)
    gate.load(f"{GATEWAY}{MASQUERADE}zone = 7\n", CLIENTS)
    source = (IPV4.alice, 45000)
    with (
        session(*twin, IPV4.peer, source=source) as other,
        session(gate.town.alice, gate.town.peer, IPV4.peer, source=source) as talk,
    ):
        assert other.seen == IPV4.alice
        assert talk.seen == IPV4.public
        for verb in IPV4.active:
            line = announcement(verb, IPV4.alice, 40000)
            assert other.say(line) == line
            assert active(talk, verb)[0] == IPV4.public
        for verb in IPV4.passive:
            assert passive(talk, verb)[0] == IPV4.peer
        require_alive(other)


def other_zone(gate: Gate, namespaces: Namespaces) -> tuple[str, str]:
    """A client and a server like alice and peer, whom the gate routes apart from them."""
    twin = (namespaces.create("twin"), namespaces.create("far"))
    for host, name, address, network, router in (
        (twin[0], "in1", IPV4.alice, IPV4.networks[0], IPV4.gate),
        (twin[1], "out1", IPV4.peer, IPV4.networks[1], IPV4.public),
    ):
        namespaces.link(gate.town.gate, name, host, "eth0")
        namespaces.address(host, "eth0", f"{address}/24")
        namespaces.route(host, router)
        run(gate.town.gate, "ip", "route", "add", network, "dev", name, "table", "9")
        gate.iptables(IPV4, "-t", "raw", "-A", "PREROUTING", "-i", name, "-j", "CT", "--zone", "9")
    for name in ("in1", "out1"):
        run(gate.town.gate, "ip", "rule", "add", "iif", name, "lookup", "9")
    return twin


def test_real_clients_of_a_published_server(gate: Gate, tmp_path: Path) -> None:
    """curl against vsftpd, which announces the address that it has inside."""
    require_program("vsftpd", "curl", "unshare")
    gate.load(GATEWAY, published(IPV4))
    with vsftpd(gate.town.shop, IPV4.shop, tmp_path) as site:
        content = random.Random(21).randbytes(1 << 20)
        site.publish("file", content)
        for number, mode in enumerate(
            (["--ftp-pasv", "--disable-epsv"], ["-P", "-", "--disable-eprt"], ["-P", "-"], [])
        ):
            url = f"ftp://{IPV4.public}"
            fetched = tmp_path / f"fetched{number}"
            # By the address that 227 names: curl would otherwise take the control connection's.
            curl = ["curl", "-sS", "--max-time", "10", "--no-ftp-skip-pasv-ip", *mode]
            run(gate.town.peer, *curl, "-o", str(fetched), f"{url}/file")
            assert fetched.read_bytes() == content
            run(gate.town.peer, *curl, "-T", str(fetched), f"{url}/incoming/")
            assert (site.incoming / fetched.name).read_bytes() == content


def test_two_gateways_in_a_row(namespaces: Namespaces, tmp_path: Path, at: Addresses) -> None:
    """Each translates what the one before it has rewritten.

    Not with cthelper, which is registered once for all network namespaces.
    """
    require_program("iptables-legacy", "iptables-nft", "nft")
    client, home, carrier, far = (
        namespaces.create(role) for role in ("client", "home", "carrier", "far")
    )
    for left, left_name, right, right_name in (
        (client, "eth0", home, "in0"),
        (home, "out0", carrier, "in0"),
        (carrier, "out0", far, "eth0"),
    ):
        namespaces.link(left, left_name, right, right_name)
    namespaces.address(client, "eth0", "10.77.1.10/24", "fd77:1::10/64")
    namespaces.address(home, "in0", "10.77.1.1/24", "fd77:1::1/64")
    namespaces.address(home, "out0", "100.64.0.2/24", "fd77:64::2/64")
    namespaces.address(carrier, "in0", "100.64.0.1/24", "fd77:64::1/64")
    namespaces.address(carrier, "out0", "192.0.2.1/24", "2001:db8:2::1/64")
    namespaces.address(far, "eth0", "192.0.2.10/24", "2001:db8:2::10/64")
    namespaces.route(client, "10.77.1.1", "fd77:1::1")
    namespaces.route(home, "100.64.0.1", "fd77:64::1")
    for gateway in (home, carrier):
        run(gateway, "sysctl", "-qw", *FORWARDING)
    carried = '[clients]\nallow = ["100.64.0.0/24", "fd77:64::/64"]\n'
    with (
        loaded(home, GATEWAY + MASQUERADE + CLIENTS, tmp_path / "home"),
        loaded(carrier, GATEWAY + MASQUERADE + carried, tmp_path / "carrier"),
        session(client, far, at.peer) as talk,
    ):
        assert talk.seen == at.public
        for _ in range(2):
            for verb in at.active:
                assert active(talk, verb)[0] == at.public
            for verb in at.passive:
                assert passive(talk, verb)[0] == at.peer


def shut_host(gate: Gate, at: Addresses) -> None:
    """Drop TCP from and to this host that ftpfw's rules will not have accepted.

    In nftables an accept of ours does not overrule a drop of others, who therefore accept FTP too.
    """
    for chain, near, far in (("INPUT", "--dport", "--sport"), ("OUTPUT", "--sport", "--dport")):
        if gate.firewall == NFTABLES:
            for port in (near, far):
                gate.iptables(at, "-A", chain, "-p", "tcp", port, "21", "-j", "ACCEPT")
            name = HELPER_NAME[Backend(gate.backend)]
            gate.iptables(at, "-A", chain, "-m", "helper", "--helper", name, "-j", "ACCEPT")
        gate.iptables(at, "-A", chain, "-p", "tcp", "-j", "DROP")
