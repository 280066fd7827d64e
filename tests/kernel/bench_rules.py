"""What a thousand published servers cost on every firewall: `make bench-rules`.

To generate and apply their rules once, and each packet from then on.

Each policy on each firewall has a gateway of its own; rounds go by turns through all, so what
else the machine does meanwhile hits them alike. A round's packets are sent from one processor,
on which the gateway handles each before the next is sent. Only ratios mean anything.

    other      forwarded packets of an established flow that is not FTP, which a rule of the
               administrator's own accepts: behind all of ours
    data       segments of an established data connection of one server
    control    SYNs of new control connections to that server

No inspector runs: what it costs is the same with one server and with a thousand. The rules of
`--backend borrowed`, which would queue what is said to it, are asked here as well.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.model import Direction
from ftpfw.helper.expecting import expected
from ftpfw.ruleset.apply import NAMES as FIREWALLS
from ftpfw.ruleset.apply import apply
from ftpfw.ruleset.compile import compile_families
from ftpfw.ruleset.iptables import render_save
from ftpfw.ruleset.nftables import render_nftables
from ftpfw.ruleset.policy import Backend
from ftpfw.ruleset.policy_file import read_policy
from tests.unit.ruleset.many import many_servers

from .netns import Namespaces, inside, run
from .probes import Probe, build, parse_ends
from .rules_host import SUFFIX, entered, holds
from .wires import Wires, frame, one_processor

ADDRESSES = {"eth1": ["10.0.0.1/8"], "eth0": ["203.0.113.1/24"]}
FEW, MANY = 1, 1000

BURST = 100
"""Packets of a round: over before the scheduler gives the processor to somebody else."""


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct mmsghdr of a packet socket that is bound, so nothing but the vector is set."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    )


_libc = ctypes.CDLL(None, use_errno=True)


class Burst:
    """Frames that one system call sends."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._frames = list(frames)
        self._vectors = [_Vector(frame, len(frame)) for frame in self._frames]
        messages = [
            _Message(vectors=ctypes.pointer(vector), vector_count=1) for vector in self._vectors
        ]
        self._messages = (_Message * len(messages))(*messages)

    def __len__(self) -> int:
        return len(self._frames)

    def send(self, cable: socket.socket) -> None:
        start = 0
        while start < len(self):
            at = ctypes.byref(self._messages, start * ctypes.sizeof(_Message))
            sent = _libc.sendmmsg(cable.fileno(), at, len(self) - start, 0)
            if sent < 0:
                raise OSError(ctypes.get_errno(), "sendmmsg")
            start += sent


class Arrivals:
    """How many packets an interface of the far side has received."""

    def __init__(self, namespace: str, interface: str) -> None:
        opened = inside(namespace, lambda: os.open("/proc/thread-self/net/dev", os.O_RDONLY))
        self._descriptor = opened
        self._line = re.compile(rf"^\s*{interface}:\s*\d+\s+(\d+)", re.MULTILINE)

    def count(self) -> int:
        found = self._line.search(os.pread(self._descriptor, 1 << 14, 0).decode())
        assert found, "the interface has gone"
        return int(found[1])

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class Subject:
    """A gateway with one policy on one firewall."""

    firewall: str
    servers: int
    wires: Wires
    arrivals: dict[str, Arrivals]

    def seconds(self, burst: Burst, enter: str, leave: str) -> float:
        """For each packet, from the first that is sent to the last that has come out."""
        arrivals = self.arrivals[leave]
        wanted = arrivals.count() + len(burst)
        begin = time.perf_counter()
        burst.send(self.wires.cable(enter))
        while arrivals.count() < wanted:
            if time.perf_counter() - begin > 5:
                raise RuntimeError(f"{self.firewall}: packets were lost")
        return (time.perf_counter() - begin) / len(burst)


def _subject(
    namespaces: Namespaces, firewall: str, backend: Backend, servers: int
) -> Subject | None:
    """None where this kernel cannot hold the rules there."""
    begin = time.perf_counter()
    rulesets = compile_families(read_policy(many_servers(servers), "bench.toml"), backend)
    text = render_nftables(rulesets) if firewall == "nftables" else render_save(rulesets[0])
    made = time.perf_counter() - begin
    wires = Wires(namespaces, ADDRESSES, "eth0")
    with entered(wires.gate):
        if not holds(firewall, backend, rulesets):
            wires.close()
            return None
        begin = time.perf_counter()
        apply(rulesets, firewall)
        applied = time.perf_counter() - begin
    print(
        f"{firewall:12}{servers:>5} servers: {len(text.splitlines()):6} lines, generated in"
        f" {made:.2f} s, applied in {applied:.2f} s",
        flush=True,
    )
    if firewall == "nftables":
        run(
            wires.gate,
            *["nft", "add", "rule", "inet", "ftpfw", "ftpfw-yours", "udp", "dport", "9", "accept"],
        )
    else:
        rule = "-I FORWARD 2 -p udp --dport 9 -j ACCEPT"
        run(wires.gate, f"iptables-{SUFFIX[firewall]}", *rule.split())
    arrivals = {name: Arrivals(wires.far, name) for name in ADDRESSES}
    return Subject(firewall, servers, wires, arrivals)


def _play(subject: Subject, *rows: tuple[str, str, str]) -> None:
    probes = [Probe(enter, "tcp", parse_ends(ends), flags) for enter, ends, flags in rows]
    for probe, seen in zip(probes, subject.wires.play(probes), strict=True):
        assert seen, f"{subject.firewall}, {subject.servers} servers: {probe} did not pass"


def _server(servers: int) -> tuple[str, str]:
    """Own and public address of a server in the middle (see ``many_servers``)."""
    index = servers // 2
    return f"10.1.{index // 256}.{index % 256}", f"198.51.{100 + index // 256}.{index % 256}"


@dataclass(frozen=True, slots=True)
class Round:
    """A burst before the one that is timed: it finds the rules in the caches."""

    subject: Subject
    enter: str
    leave: str
    warming: Burst
    timed: Burst
    forgetful: bool = False

    def seconds(self) -> float:
        if self.forgetful:
            self.subject.wires.forget()
        self.subject.seconds(self.warming, self.enter, self.leave)
        return self.subject.seconds(self.timed, self.enter, self.leave)


def _measure_other(subject: Subject) -> Round:
    there = Probe("eth1", "udp", parse_ends("10.0.0.5:5000 > 198.18.0.9:9"))
    (seen,) = subject.wires.play([there])
    assert seen
    subject.wires.play([Probe("eth0", "udp", seen.ends.turned())])
    burst = Burst([frame(build(there, 1))] * BURST)
    return Round(subject, "eth1", "eth0", burst, burst)


def _measure_data(subject: Subject) -> Round:
    own, public = _server(subject.servers)
    control, data = f"198.18.0.7:40000 > {public}:21", f"198.18.0.7:40001 > {public}:50001"
    _play(
        subject,
        ("eth0", control, "S"),
        ("eth1", f"{own}:21 > 198.18.0.7:40000", "SA"),
        ("eth0", control, "A"),
    )
    with inside(subject.wires.gate, Ctnetlink) as conntrack:
        master = conntrack.get(parse_ends(control).tracked)
        assert master
        if master.helper:  # without one the passive ports are open
            conntrack.add_expectation(expected(master, Direction.REPLY, 50001, 50001))
    _play(
        subject,
        ("eth0", data, "S"),
        ("eth1", f"{own}:50001 > 198.18.0.7:40001", "SA"),
        ("eth0", data, "A"),
    )
    burst = Burst([frame(build(Probe("eth0", "tcp", parse_ends(data), "A"), 1))] * BURST)
    return Round(subject, "eth0", "eth1", burst, burst)


def _measure_control(subject: Subject) -> Round:
    _, public = _server(subject.servers)

    def opener(port: int) -> bytes:
        ends = parse_ends(f"198.18.0.8:{port} > {public}:21")
        return frame(build(Probe("eth0", "tcp", ends, "S"), 1))

    warming, timed = (
        Burst([opener(port) for port in range(first, first + BURST)]) for first in (20000, 30000)
    )
    return Round(subject, "eth0", "eth1", warming, timed, forgetful=True)


MEASURES = {"other": _measure_other, "data": _measure_data, "control": _measure_control}


def measured(backend: Backend, rounds: int) -> Iterator[tuple[str, str, dict[int, float]]]:
    """What is sent, firewall, and by the number of servers the median cost in seconds."""
    with ExitStack() as stack:
        namespaces = Namespaces()
        stack.callback(namespaces.remove)
        subjects = []
        for firewall in FIREWALLS:
            for servers in (FEW, MANY):
                subject = _subject(namespaces, firewall, backend, servers)
                if subject is None:
                    continue
                stack.callback(subject.wires.close)
                for arrivals in subject.arrivals.values():
                    stack.callback(arrivals.close)
                subjects.append(subject)
        for what, prepare in MEASURES.items():
            for subject in subjects:
                subject.wires.forget()
            prepared = [prepare(subject) for subject in subjects]
            with ExitStack() as quiet:
                quiet.enter_context(one_processor())
                for subject in subjects:
                    quiet.enter_context(subject.wires.unwatched())
                taken = [[one.seconds() for one in prepared] for _ in range(rounds)]
            costs = [median(column) for column in zip(*taken, strict=True)]
            for firewall in dict.fromkeys(subject.firewall for subject in subjects):
                pairs = zip(subjects, costs, strict=True)
                yield what, firewall, {s.servers: c for s, c in pairs if s.firewall == firewall}


def main() -> None:
    parser = argparse.ArgumentParser(description="What a thousand published servers cost a packet.")
    parser.add_argument("--rounds", type=int, default=400, help="rounds of each measure (400)")
    backends = [Backend.KERNEL, Backend.NONE, Backend.BORROWED]
    parser.add_argument("--backend", choices=backends, default=Backend.KERNEL, type=Backend)
    asked = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("needs root, to make network namespaces")
    rows = measured(asked.backend, asked.rounds)
    for number, (what, firewall, costs) in enumerate(rows):
        if number == 0:
            print(f"microseconds for a packet, medians of {asked.rounds} rounds of {BURST}")
            print(f"{'packets':10}{'firewall':12}{FEW:>8} server{MANY:>9} servers   ratio")
        few, many = costs[FEW] * 1e6, costs[MANY] * 1e6
        print(f"{what:10}{firewall:12}{few:15.2f}{many:17.2f}{many / few:8.2f}", flush=True)


if __name__ == "__main__":
    main()
