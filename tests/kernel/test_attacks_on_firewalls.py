"""What strangers, servers and clients try with negotiations: nothing opens, on any firewall.

    client  10.0.1.5  --.           .-- 10.0.2.10 published server (DMZ)
    other   10.0.1.6  --+-- gateway +
                        |           '-- 198.51.100.9 server, .7 client, .66 mallory (outside)

It is a SYN with the source that the row says which is let loose, and a tap at the target that
must not see it. Each session then makes a transfer, so the tap does see.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.ruleset.apply import NAMES as FIREWALLS
from ftpfw.ruleset.compile import compile_families
from ftpfw.ruleset.policy import Backend
from tests.unit.ruleset.samples import backends, sample

from .foreign import ForeignRules
from .neighbourhood import Neighbourhood, exchanged
from .netns import inside, require_program
from .paths import Session, announcement, require_alive, session
from .places import Places, applied
from .probes import Endpoints, Probe, build, sight
from .rules_host import entered, holds, require_backend
from .wires import one_processor

POLICY = "dmz"
PUBLIC = "203.0.113.1"

CLIENT, OTHER = ("eth1", "10.0.1.5"), ("eth1", "10.0.1.6")
SHOP = ("eth2", "10.0.2.10")
GUEST, PEER, MALLORY = ("eth0", "198.51.100.7"), ("eth0", "198.51.100.9"), ("eth0", "198.51.100.66")

Host = tuple[str, str]
DATA, SECOND = 50007, 50008


@dataclass(frozen=True, slots=True)
class Opening:
    """A SYN: who lets it loose, in whose name, to which address and port, and who would get it."""

    by: Host
    source: str
    to: tuple[str, int]
    target: Host


def _syn(by: Host, to: str, target: Host, *, port: int = DATA, source: str = "") -> Opening:
    return Opening(by, source or by[1], (to, port), target)


OUT, IN = (CLIENT, PEER, PEER[1]), (GUEST, SHOP, PUBLIC)
"""Sessions: client, server and the address that is asked for."""

NOTHING = ("", b"")
PORT, REPLY = "client", "server"


def _port(host: str, port: int = DATA) -> tuple[str, bytes]:
    return PORT, announcement("PORT", host, port)


def _reply(host: str, port: int = DATA) -> tuple[str, bytes]:
    return REPLY, announcement("PASV", host, port)


ATTACKS = [
    # id, session, what is said, what is opened then, whether something is expected
    ("unsolicited, to a client", OUT, NOTHING, _syn(PEER, PUBLIC, CLIENT), False),
    ("unsolicited, to its own address", OUT, NOTHING, _syn(PEER, CLIENT[1], CLIENT), False),
    ("unsolicited, to a server", IN, NOTHING, _syn(GUEST, PUBLIC, SHOP), False),
    ("unsolicited, to its own address", IN, NOTHING, _syn(GUEST, SHOP[1], SHOP), False),
    ("unsolicited, from a server", IN, NOTHING, _syn(SHOP, GUEST[1], GUEST), False),
    ("from the DMZ", IN, NOTHING, _syn(SHOP, CLIENT[1], CLIENT), False),
    ("bounce, off the DMZ's server", IN, _port(MALLORY[1]), _syn(SHOP, MALLORY[1], MALLORY), False),
    (
        "bounce, to inside",
        IN,
        _port(CLIENT[1], 8080),
        _syn(SHOP, CLIENT[1], CLIENT, port=8080),
        False,
    ),
    ("bounce, off a server outside", OUT, _port(OTHER[1]), _syn(PEER, OTHER[1], OTHER), False),
    ("bounce, by NAT", OUT, _port(OTHER[1]), _syn(PEER, PUBLIC, OTHER), False),
    ("227 of the DMZ", OUT, _reply(SHOP[1]), _syn(CLIENT, SHOP[1], SHOP), False),
    ("227 of a stranger", OUT, _reply(MALLORY[1]), _syn(CLIENT, MALLORY[1], MALLORY), False),
    ("227 of a client", IN, _reply(CLIENT[1]), _syn(GUEST, CLIENT[1], CLIENT), False),
    ("privileged PORT", OUT, _port(CLIENT[1], 22), _syn(PEER, PUBLIC, CLIENT, port=22), True),
    ("privileged 227", IN, _reply(SHOP[1], 22), _syn(GUEST, PUBLIC, SHOP, port=22), True),
    ("another's data port", OUT, _port(CLIENT[1]), _syn(MALLORY, PUBLIC, CLIENT), True),
    ("another's passive port", IN, _reply(SHOP[1]), _syn(MALLORY, PUBLIC, SHOP), True),
    ("the port beside", OUT, _port(CLIENT[1]), _syn(PEER, PUBLIC, CLIENT, port=SECOND), True),
    ("without NAT", OUT, _port(CLIENT[1]), _syn(PEER, CLIENT[1], CLIENT), True),
    ("another server's client", OUT, _reply(PEER[1]), _syn(OTHER, PEER[1], PEER), True),
    (
        "in a client's name, from outside",
        OUT,
        _reply(PEER[1]),
        _syn(MALLORY, SHOP[1], SHOP, port=21, source=CLIENT[1]),
        True,
    ),
    (
        "in a client's name, from the DMZ",
        OUT,
        _reply(PEER[1]),
        _syn(SHOP, PEER[1], PEER, source=CLIENT[1]),
        True,
    ),
    (
        "in the server's name, from outside",
        IN,
        _port(GUEST[1]),
        _syn(MALLORY, GUEST[1], GUEST, source=SHOP[1]),
        True,
    ),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    require_program("iptables-legacy", "iptables-nft", "nft")
    places = Places(tmp_path_factory.mktemp("attacks"))
    yield places
    places.close()


def cases() -> Iterator[object]:
    for backend in backends(sample(POLICY)):
        for firewall in FIREWALLS if backend is not Backend.NONE else ():
            group = [] if backend is Backend.CTHELPER else [pytest.mark.xdist_group("attacks")]
            yield pytest.param(backend, firewall, marks=group, id=f"{backend}-{firewall}")


@pytest.mark.parametrize(("backend", "firewall"), list(cases()))
def test_nothing_opens(places: Places, backend: Backend, firewall: str) -> None:
    require_backend(backend)
    place = places.of(POLICY, backend)
    with ExitStack() as stack:
        stack.enter_context(entered(place.gate))
        rulesets = compile_families(sample(POLICY), backend)
        if not holds(firewall, backend, rulesets):
            pytest.skip("needs nf_tables' queue statement (nft_queue)")
        stack.enter_context(applied(rulesets, ForeignRules(place.gate, firewall), alone=False))
        stack.enter_context(one_processor())
        conntrack = stack.enter_context(Ctnetlink())
        opened = [
            name
            for name, between, said, opening, expected in ATTACKS
            if not stays_shut(place, conntrack, between, said, opening, expected=expected)
        ]
    assert opened == []


def stays_shut(
    place: Neighbourhood,
    conntrack: Ctnetlink,
    between: tuple[Host, Host, str],
    said: tuple[str, bytes],
    opening: Opening,
    *,
    expected: bool,
) -> bool:
    client, server, to = between
    hosts = place.host(*client), place.host(*server)
    with ExitStack() as stack:
        tap = stack.enter_context(inside(place.host(*opening.target), _tap))
        talk = stack.enter_context(session(*hosts, to, at=server[1], source=(client[1], 0)))
        if said != NOTHING:
            (talk.say if said[0] == PORT else talk.answer)(said[1])
            if bool(conntrack.list_expectations(socket.AF_INET)) is not expected:
                return False
        _let_loose(place, opening)
        require_alive(talk)
        came = opening.to[1] in set(_syns(tap))
        _transfer(talk)
    return not came


def _tap() -> socket.socket:
    """Sees what this host's TCP gets."""
    tap = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    tap.setblocking(False)
    return tap


def _let_loose(place: Neighbourhood, opening: Opening) -> None:
    source, to = ip_address(opening.source), ip_address(opening.to[0])
    syn = build(Probe("", "tcp", Endpoints(source, 20, to, opening.to[1]), "S"), 1)

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(syn, (opening.to[0], 0))

    inside(place.host(*opening.by), send)


def _syns(tap: socket.socket) -> Iterator[int]:
    """The ports that probes have come to."""
    while True:
        try:
            seen = sight("", tap.recv(2048))
        except BlockingIOError:
            return
        if seen and seen.number:
            yield seen.ends.dport


def _transfer(talk: Session) -> None:
    """What is negotiated as it should be opens, and for the right one."""
    with talk.client_listens() as listener:
        told = talk.ask_active("EPRT", listener.getsockname()[1])
        exchanged(talk.server_host, talk.far, told, listener)
    require_alive(talk)


def test_a_tap_sees_what_is_let_through(places: Places) -> None:
    place = places.of(POLICY, Backend.KERNEL)
    rulesets = compile_families(sample(POLICY), Backend.KERNEL)
    foreign = ForeignRules(place.gate, "nftables")
    opening = _syn(PEER, PUBLIC, CLIENT)
    with (
        entered(place.gate),
        applied(rulesets, foreign, alone=False),
        one_processor(),
        inside(place.host(*opening.target), _tap) as tap,
        session(place.host(*CLIENT), place.host(*PEER), PEER[1], source=(CLIENT[1], 0)) as talk,
    ):
        talk.say(announcement("PORT", CLIENT[1], DATA))
        _let_loose(place, opening)
        require_alive(talk)
        assert DATA in set(_syns(tap))
