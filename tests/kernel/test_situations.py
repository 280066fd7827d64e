"""Sessions in every situation that there is a sample policy for, on every firewall.

What crosses and what is refused is in the table; both ends are played by hand. With a helper
everything crosses that the policy allows, and no data port is open before it is
negotiated. Without one, passive transfers do, where the address needs no rewriting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftpfw.ruleset.apply import NAMES as FIREWALLS
from ftpfw.ruleset.apply import firewalls_with_ours
from ftpfw.ruleset.compile import compile_families
from ftpfw.ruleset.policy import Backend
from tests.unit.ruleset.samples import sample

from .foreign import ForeignRules
from .loading import loaded
from .neighbourhood import Neighbourhood, exchanged, is_shut
from .netns import Namespaces, require_program, run
from .paths import Session, require_alive, session
from .places import Places, applied, sample_text
from .probes import HERE
from .rules_host import entered, holds, require_backend, rule_sets
from .verdicts import read_verdicts
from .wires import one_processor

VERBS = {4: ("PORT", "EPRT", "PASV", "EPSV"), 6: ("EPRT", "EPSV")}
ACTIVE = {"PORT", "EPRT"}


@dataclass(frozen=True, slots=True)
class Situation:
    """Who asks whom, by which address. ``without`` is what crosses with the backend ``none``.

    ``ports`` are where a server inside listens for data: in its passive_ports.
    """

    policy: str
    client: tuple[str, str]
    server: tuple[str, str]
    to: str
    without: str
    port: int = 21
    data_port: int = 50007


def _outside(policy: str, client: str, server: str, without: str, **more: int) -> Situation:
    """A client inside, a server outside that is known by its own address."""
    interface, address = client.split()
    outside = sample(policy).gateway.outside
    return Situation(policy, (interface, address), (outside, server), server, without, **more)


def _published(
    policy: str, client: str, to: str, server: str, without: str, **more: int
) -> Situation:
    near, far = client.split(), server.split()
    return Situation(policy, (near[0], near[1]), (far[0], far[1]), to, without, **more)


SITUATIONS = {
    # Passive crosses without a helper where the server's own address is the one that is known.
    # A published server in a network of clients may, without one, go where clients may.
    "clients": [
        _outside("nat-gateway", "eth1 10.0.1.5", "198.51.100.9", "PASV EPSV"),
        _outside("nat-gateway-ipv6", "lan0 fd00:db8:1::5", "2001:db8:9::9", "EPSV"),
        _outside("nat-gateway-ipv6", "lan1 10.0.1.130", "198.51.100.9", "PASV EPSV", port=2121),
        _outside("published-server", "eth1 10.0.1.5", "198.51.100.9", "PASV EPSV"),
        _outside("published-server-ipv6", "eth1 fd00:1::5", "2001:db8:9::9", "EPSV"),
        _outside("several-servers", "eth1 10.0.1.5", "198.51.100.9", "PASV EPSV", port=2121),
        _outside("dmz", "eth1 10.0.1.5", "198.51.100.9", "PASV EPSV"),
        _outside("routed", "eth1 198.51.100.5", "203.0.113.9", "PASV EPSV"),
        _outside("routed", "eth1 2001:db8:1::5", "2001:db8:9::9", "EPSV"),
        _outside("kernel-helper", "eth1 10.0.1.5", "198.51.100.9", ""),
        _outside("passive-only", "eth1 10.0.1.5", "198.51.100.9", "PASV EPSV"),
        _outside("client-on-this-host", f"{HERE} 192.0.2.1", "198.51.100.9", "PASV EPSV"),
        _outside("client-on-this-host", f"{HERE} 2001:db8::1", "2001:db8:9::9", "EPSV"),
    ],
    "servers": [
        _published(
            "published-server",
            "eth0 198.51.100.7",
            "203.0.113.1",
            "eth1 10.0.1.10",
            "PORT EPRT EPSV",
        ),
        _published(
            "published-server-ipv6", "eth0 198.51.100.7", "203.0.113.1", "eth2 10.0.2.10", "EPSV"
        ),
        _published(
            "published-server-ipv6", "eth0 2001:db8:9::7", "2001:db8::1", "eth2 fd00:2::10", "EPSV"
        ),
        _published(
            "several-servers",
            "eth0 198.51.100.7",
            "203.0.113.1",
            "eth1 10.0.1.11",
            "PORT EPRT EPSV",
            port=2121,
            data_port=50107,
        ),
        _published(
            "several-servers",
            "eth0 198.51.100.7",
            "203.0.113.2",
            "eth1 10.0.1.12",
            "PORT EPRT EPSV",
        ),
        _published("dmz", "eth0 198.51.100.7", "203.0.113.1", "eth2 10.0.2.10", "EPSV"),
        _published("kernel-helper", "eth0 198.51.100.7", "203.0.113.1", "eth1 10.0.1.10", ""),
        _published(
            "passive-only",
            "eth0 198.51.100.7",
            "203.0.113.1",
            "eth1 10.0.1.10",
            "PORT EPRT EPSV",
        ),
        _published("ftps", "eth0 198.51.100.7", "203.0.113.1", "eth1 10.0.1.10", ""),
        _published(
            "routed",
            "eth0 203.0.113.7",
            "198.51.100.10",
            "eth1 198.51.100.10",
            "PORT EPRT PASV EPSV",
        ),
        _published(
            "routed", "eth0 2001:db8:9::7", "2001:db8:1::10", "eth1 2001:db8:1::10", "EPRT EPSV"
        ),
        _published(
            "server-on-this-host",
            "eth0 198.51.100.7",
            "192.0.2.10",
            f"{HERE} 192.0.2.10",
            "PASV EPSV",
        ),
    ],
    "servers from inside": [
        _published("dmz", "eth1 10.0.1.5", "10.0.2.10", "eth2 10.0.2.10", "PASV EPSV"),
        _published("dmz", "eth1 10.0.1.5", "203.0.113.1", "eth2 10.0.2.10", "PASV EPSV"),
        # Neighbours may speak directly, so without a helper more crosses than by the policy.
        _published(
            "published-server",
            "eth1 10.0.1.5",
            "203.0.113.1",
            "eth1 10.0.1.10",
            "PORT EPRT PASV EPSV",
        ),
        _published(
            "published-server-ipv6",
            "eth1 fd00:1::5",
            "2001:db8::1",
            "eth2 fd00:2::10",
            "EPRT EPSV",
        ),
    ],
}
POLICIES = sorted({one.policy for many in SITUATIONS.values() for one in many})


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    require_program("iptables-legacy", "iptables-nft", "nft")
    places = Places(tmp_path_factory.mktemp("situations"))
    yield places
    places.close()


@pytest.mark.parametrize(("policy", "backend", "firewall"), rule_sets(POLICIES))
def test_sessions(places: Places, policy: str, backend: Backend, firewall: str) -> None:
    require_backend(backend)
    place = places.of(policy, backend)
    with entered(place.gate):
        rulesets = compile_families(sample(policy), backend)
        if not holds(firewall, backend, rulesets):
            pytest.skip("needs nf_tables' queue statement (nft_queue)")
        alone = not sample(policy).gateway.behind
        with applied(rulesets, ForeignRules(place.gate, firewall), alone=alone), one_processor():
            for one in (one for many in SITUATIONS.values() for one in many):
                if one.policy == policy:
                    version = 6 if ":" in one.to else 4
                    helped = backend is not Backend.NONE
                    wanted = [*VERBS[version]] if helped else one.without.split()
                    assert play(place, one, helped=helped) == wanted, one


def play(place: Neighbourhood, one: Situation, *, helped: bool) -> list[str]:
    """The commands whose transfers cross."""
    client, server = place.host(*one.client), place.host(*one.server)
    at, source = one.server[1], (one.client[1], 0)
    with session(client, server, one.to, one.port, at=at, source=source) as talk:
        version = 6 if ":" in one.to else 4
        crossed = [
            verb
            for verb in VERBS[version]
            if (_active if verb in ACTIVE else _passive)(talk, one, verb, helped=helped)
        ]
        require_alive(talk)
    return crossed


def _active(talk: Session, one: Situation, verb: str, *, helped: bool) -> bool:
    """Whether the server's data connection reaches the client."""
    with talk.client_listens() as listener:
        port = listener.getsockname()[1]
        if helped:
            assert is_shut(talk, talk.server_host, (talk.seen, port), listener)
        told = talk.ask_active(verb, port)
        assert talk.answer(b"200 Okay.\r\n") == b"200 Okay.\r\n"
        if not helped and is_shut(talk, talk.server_host, told, listener):
            return False
        came_from = exchanged(talk.server_host, talk.far, told, listener)
        assert not helped or came_from[0] == talk.known
    return True


def _passive(talk: Session, one: Situation, verb: str, *, helped: bool) -> bool:
    """Whether the client's data connection reaches the server."""
    with talk.server_listens(one.data_port) as listener:
        if helped:
            assert is_shut(talk, talk.client_host, (talk.known, one.data_port), listener)
        told = talk.offer_passive(verb, one.data_port)
        if not helped and is_shut(talk, talk.client_host, told, listener):
            return False
        came_from = exchanged(talk.client_host, talk.near, told, listener)
        assert not helped or came_from[0] == talk.seen
    return True


MAKES_LOAD_CHOOSE = {
    "legacy": "iptables-legacy -A INPUT -i lo -j ACCEPT",
    "nft-compat": "iptables-nft -A INPUT -i lo -j ACCEPT",
    "nftables": "nft add table inet filter",
}


@pytest.mark.parametrize("backend", [Backend.KERNEL, Backend.BORROWED, Backend.CTHELPER])
@pytest.mark.parametrize("firewall", FIREWALLS)
def test_loaded_beside_somebody_s_rules(
    namespaces: Namespaces, tmp_path: Path, firewall: str, backend: Backend
) -> None:
    """Where they are is where `load` puts ours, and `unload` leaves them."""
    require_program("iptables-legacy", "iptables-nft", "nft")
    require_backend(backend)
    addresses = read_verdicts("nat-gateway").addresses
    place = Neighbourhood(namespaces, addresses, "eth0")
    run(place.gate, *MAKES_LOAD_CHOOSE[firewall].split())
    with entered(place.gate):
        if not holds(firewall, backend, compile_families(sample("nat-gateway"), backend)):
            pytest.skip("needs nf_tables' queue statement (nft_queue)")
        before = run(place.gate, "nft", "--stateless", "list", "ruleset")
        with loaded(place.gate, sample_text("nat-gateway", backend), tmp_path / "gate"):
            assert firewalls_with_ours() == [firewall]
            assert play(place, SITUATIONS["clients"][0], helped=True) == [*VERBS[4]]
        assert firewalls_with_ours() == []
        assert run(place.gate, "nft", "--stateless", "list", "ruleset") == before
