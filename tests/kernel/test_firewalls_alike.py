"""The same packets through the same policy on every firewall, and through an interpreter of it.

Made at random from the rules' own values (`likely`), thousands for each rule set. What conntrack
thinks of the first ones is known, so `ideal` says what is right. Then those that passed
are answered, rightly and wrongly, connections go on, data connections are expected and opened by
the right and by the wrong ones: there the firewalls are held against each other.

    FTPFW_PROBES   how many packets for each rule set
    FTPFW_SEED     which; without it always the same ones
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random
from zlib import crc32

import pytest

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.model import Conntrack, Direction, Expectation, Tuple
from ftpfw.helper.expecting import expected
from ftpfw.ruleset.apply import NAMES as FIREWALLS
from ftpfw.ruleset.apply import apply, remove
from ftpfw.ruleset.compile import compile_families
from ftpfw.ruleset.model import RuleSet
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.policy_file import read_policy
from tests.unit.ruleset.many import many_servers
from tests.unit.ruleset.samples import NAMES, backends, sample

from .conftest import made_namespaces
from .ideal import Ideal
from .likely import Likely
from .netns import inside, require_program
from .probes import HERE, Endpoints, Probe, Sight, outcome
from .rules_host import entered, holds, require_helper
from .verdicts import read_verdicts
from .wires import Packet, Wires, built

PROBES = int(os.environ.get("FTPFW_PROBES", "700"))
SEED = int(os.environ.get("FTPFW_SEED", "21"))

OPENED = 300
"""Connections that go on."""

DATA_SOURCES = range(40000, 50000)

SHOWN = 20
"""Differences that a failure tells of."""

MASTERS = 40
"""Control connections that data connections are expected of."""

MANY = {
    "many-addresses": many_servers(300),
    "many-ports": many_servers(300, one_address=True),
    "many-addresses-ipv6": many_servers(300, version=6),
}
MANY_ADDRESSES = {
    "eth1": ["10.0.0.1/8", "fd00::1/16"],
    "eth0": ["203.0.113.1/24", "2001:db8::1/64"],
}


@dataclass(frozen=True, slots=True)
class Master:
    """A control connection, and which of its ends announces which port."""

    tuple: Tuple
    announcer: Direction
    port: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A policy, the gateway's addresses for it, and whence packets are made."""

    policy: Policy
    addresses: dict[str, list[str]]
    backend: Backend
    random: Random


def trial(name: str, backend: Backend) -> Trial:
    random = Random(crc32(f"{SEED} {name} {backend}".encode()))
    if name in MANY:
        return Trial(read_policy(MANY[name], name), MANY_ADDRESSES, backend, random)
    return Trial(sample(name), read_verdicts(name).addresses, backend, random)


@contextmanager
def holding(wires: Wires, rulesets: Sequence[RuleSet], firewall: str) -> Iterator[None]:
    """The gateway with the rules on one firewall, nothing tracked."""
    apply(rulesets, firewall)
    try:
        wires.forget()
        yield
    finally:
        remove(firewall)


CASES = [
    *((name, backend) for name in NAMES for backend in backends(sample(name))),
    ("many-addresses", Backend.KERNEL),
    ("many-ports", Backend.NONE),
    ("many-addresses-ipv6", Backend.KERNEL),
]


@pytest.mark.parametrize(("name", "backend"), CASES, ids=["-".join(case) for case in CASES])
def test_alike(name: str, backend: Backend) -> None:
    require_program("iptables-legacy", "iptables-nft", "nft")
    require_helper(backend)
    this = trial(name, backend)
    rulesets = compile_families(this.policy, backend)
    openers, wanted = [], []
    for ruleset in rulesets:
        probes = Likely(ruleset, this.addresses, this.random).probes(PROBES)
        ideal = Ideal(ruleset, this.addresses, this.policy.gateway.outside)
        openers += probes
        wanted += [outcome(probe, ideal.sight(probe)) for probe in probes]
    with made_namespaces() as namespaces:
        wires = Wires(namespaces, this.addresses, this.policy.gateway.outside)
        story = Story(this, wires, openers)
        with entered(wires.gate):
            for firewall in FIREWALLS:
                if holds(firewall, backend, rulesets):
                    with holding(wires, rulesets, firewall):
                        story.play(firewall)
        wires.close()
    story.require_alike(wanted)


class Story:
    """What is sent to each firewall; what comes later is made by how the first took it."""

    def __init__(self, this: Trial, wires: Wires, openers: list[Probe]) -> None:
        self._this, self._wires, self._openers = this, wires, openers
        self._chapters: dict[str, list[Packet]] = {"openers": built(openers)}
        self._masters: list[Master] = []
        self._told: dict[str, dict[str, list[str]]] = {}

    def play(self, firewall: str) -> None:
        told = self._told[firewall] = {}
        first = len(self._told) == 1
        sights = self._wires.play_built(self._chapters["openers"])
        told["openers"] = _outcomes(self._openers, sights)
        if first:
            self._go_on(sights)
        for chapter in ("answers", "segments"):
            told[chapter] = self._tell(chapter)
        with inside(self._wires.gate, Ctnetlink) as conntrack:
            found = [conntrack.get(ends.tracked) for ends in self._opened]
            told["helpers"] = [f"{one.original} {one.helper}" if one else "" for one in found]
            if first:
                self._choose_masters([one for one in found if one and one.helper])
            expectations = [self._expect(conntrack, master) for master in self._masters]
        if first:
            self._chapters["data"] = built(list(self._data(expectations)))
        told["data"] = self._tell("data")

    def _tell(self, chapter: str) -> list[str]:
        packets = self._chapters[chapter]
        return _outcomes([probe for probe, _ in packets], self._wires.play_built(packets))

    def _go_on(self, sights: list[Sight | None]) -> None:
        """Answers and further segments, right ones and wrong ones."""
        pairs = zip(self._openers, sights, strict=True)
        passed = [(one, seen) for one, seen in pairs if seen and one.what == "S"][:OPENED]
        self._opened = [probe.ends for probe, _ in passed]
        answers, segments = [], []
        for probe, seen in passed:
            answer = Probe(seen.interface, "tcp", seen.ends.turned(), "SA")
            answers += [self._distorted(answer), answer, *self._errors(answer)]
            segment = replace(probe, what=self._this.random.choice(["A", "FA", "R", "SF"]))
            segments += [self._distorted(segment), segment]
        self._chapters["answers"], self._chapters["segments"] = built(answers), built(segments)

    def _distorted(self, probe: Probe) -> Probe:
        """One thing about it is wrong."""
        random, ends = self._this.random, probe.ends
        match random.randrange(4):
            case 0 if probe.enter != HERE:
                return replace(probe, enter=random.choice([*self._this.addresses]))
            case 1:
                return replace(probe, ends=replace(ends, sport=ends.sport ^ 1))
            case 2:
                return replace(probe, ends=replace(ends, dport=ends.dport ^ 2))
        return replace(probe, ends=replace(ends, source=ends.source + 1))

    def _errors(self, answer: Probe) -> Iterator[Probe]:
        """An ICMP error of the one who is asked, about the question or about another."""
        if answer.enter == HERE:
            return
        about = answer.ends.turned()
        if self._this.random.random() < 0.3:
            about = replace(about, sport=about.sport ^ 1)
        ends = Endpoints(answer.ends.source, 0, answer.ends.destination, 0)
        yield Probe(answer.enter, "icmp", ends, "too-big", about)

    def _choose_masters(self, conntracks: list[Conntrack]) -> None:
        random = self._this.random
        chosen = random.sample(conntracks, min(MASTERS, len(conntracks)))
        for number, one in enumerate(chosen):
            port = random.choice([1, 30000, 30000, 30000]) + number  # privileged, or not
            self._masters.append(Master(one.original, random.choice([*Direction]), port))

    def _expect(self, conntrack: Ctnetlink, master: Master) -> Expectation:
        known = conntrack.get(master.tuple)
        assert known, f"{master.tuple} is no connection any more"
        expectation = expected(known, master.announcer, master.port, master.port)
        conntrack.add_expectation(expectation)
        return expectation

    def _data(self, expectations: list[Expectation]) -> Iterator[Probe]:
        """For each, somebody or something else first, then what is expected."""
        names = [*self._this.addresses]
        for sport, expectation in zip(DATA_SOURCES, expectations, strict=False):
            peer, goal = ip_address(expectation.tuple.src), ip_address(expectation.tuple.dst)
            ends = Endpoints(peer, sport, goal, expectation.tuple.dport)
            for enter in names:
                right = Probe(enter, "tcp", ends, "S")
                yield self._distorted(right)
                yield right
                yield replace(right, what="A")

    def require_alike(self, ideal: list[str]) -> None:
        """Nothing became something else on another firewall, nor than the rules say."""
        chapters = {
            chapter: [str(probe) for probe, _ in packets]
            for chapter, packets in self._chapters.items()
        }
        chapters["helpers"] = [f"helper of {ends}" for ends in self._opened]
        self._told["ideal"] = {"openers": ideal}
        differing = []
        for chapter, probes in chapters.items():
            told = {name: said[chapter] for name, said in self._told.items() if chapter in said}
            for probe, *outcomes in zip(probes, *told.values(), strict=True):
                if len(set(outcomes)) > 1:
                    named = zip(told, outcomes, strict=True)
                    differing.append(f"{probe}: {', '.join(' '.join(one) for one in named)}")
        assert not differing, "\n".join([f"{len(differing)} differ:", *differing[:SHOWN]])
        assert len(self._told) > 2, "there was nothing to compare"


def _outcomes(probes: Sequence[Probe], sights: Sequence[Sight | None]) -> list[str]:
    """Where a port was taken the kernel chooses another at random: that it did is told alone."""
    told = (outcome(probe, seen) for probe, seen in zip(probes, sights, strict=True))
    return [re.sub(r"from (\[\S+\]|[0-9.]+):\d+", r"from \1:another", one) for one in told]
