"""A gateway in memory: packets, a conntrack table and its expectations, as the engine sees them."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from random import Random
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from ftpfw.conntrack.model import (
    NO_STATUS,
    Conntrack,
    Direction,
    Expectation,
    SeqAdj,
    Status,
    Tuple,
)
from ftpfw.errors import KernelError
from ftpfw.helper.commands import UNCHANGED, Accept, Drop, Note, NoteKind, Transfer, Verdict
from ftpfw.helper.driver import drive
from ftpfw.helper.engine import DEFAULTS, Engine
from ftpfw.helper.settings import Settings
from ftpfw.tcp.segment import parse_segment, rebuild

ISN = 1000


def endpoint_tuple(src: str, sport: int, dst: str, dport: int) -> Tuple:
    return Tuple(ip_address(src).packed, sport, ip_address(dst).packed, dport)


CLIENT, SERVER, GATEWAY = "10.77.1.10", "192.0.2.10", "192.0.2.1"
ORIGINAL = endpoint_tuple(CLIENT, 40000, SERVER, 21)

ROUTED = Conntrack(1, ORIGINAL, ORIGINAL.inverted(), Status.CONFIRMED, helper="sane")
MASQUERADED = replace(ROUTED, reply=endpoint_tuple(SERVER, 21, GATEWAY, 40000))
PUBLISHED = Conntrack(
    1,
    endpoint_tuple("198.51.100.7", 40000, "192.0.2.1", 21),
    endpoint_tuple("10.77.1.10", 21, "198.51.100.7", 40000),
    Status.CONFIRMED,
    helper="sane",
)
MASQUERADED6 = Conntrack(
    1,
    endpoint_tuple("fd77:1::10", 40000, "2001:db8:2::10", 21),
    endpoint_tuple("2001:db8:2::10", 21, "2001:db8:2::1", 40000),
    Status.CONFIRMED,
    helper="sane",
)


def packet(tuple_: Tuple, payload: bytes, seq: int = ISN, flags: str = "PA") -> bytes:
    """A segment of that tuple, with good lengths and checksums."""
    ip = IP if len(tuple_.src) == 4 else IPv6
    source, destination = str(ip_address(tuple_.src)), str(ip_address(tuple_.dst))
    tcp = TCP(sport=tuple_.sport, dport=tuple_.dport, seq=seq, ack=ISN, flags=flags)
    return bytes(ip(src=source, dst=destination) / tcp / payload)


@dataclass
class FakeKernel:
    """One conntrack entry; ``clashes`` are destination ports that another master expects.

    ``others`` are entries that are only listed, ``living`` those that are only read.
    """

    conntrack: Conntrack | None
    clashes: set[int] = field(default_factory=set)
    refuse: dict[str, int] = field(default_factory=dict)
    expectations: list[Expectation] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    others: list[Conntrack] = field(default_factory=list)
    living: list[Conntrack] = field(default_factory=list)
    reads: int = 0

    def get(self, tuple_: Tuple) -> Conntrack | None:
        self.reads += 1
        every = [one for one in (self.conntrack, *self.living) if one is not None]
        return next((one for one in every if tuple_ in (one.original, one.reply)), None)

    def add_expectation(self, expectation: Expectation) -> None:
        self._refuse("expect")
        taken = {e.tuple for e in self.expectations}
        if expectation.tuple.dport in self.clashes or expectation.tuple in taken:
            raise KernelError("expect", errno.EBUSY)
        self.expectations.append(expectation)
        self.done.append(f"expect {expectation.tuple}")

    def list_expectations(self, family: int) -> list[Expectation]:
        return [one for one in self.expectations if one.tuple.family == family]

    def delete_expectation(self, expectation: Expectation) -> None:
        self.expectations = [e for e in self.expectations if e.tuple != expectation.tuple]
        self.done.append(f"withdraw {expectation.tuple}")

    def set_seqadj(self, original: Tuple, direction: Direction, seqadj: SeqAdj) -> None:
        self._refuse("adjust")
        assert self.conntrack is not None
        assert original == self.conntrack.original
        both = list(self.conntrack.seqadj)
        both[direction] = seqadj
        self.conntrack = replace(self.conntrack, seqadj=(both[0], both[1]))
        self.done.append(
            f"adjust {direction.name} {seqadj.correction_pos - ISN:+} "
            f"{seqadj.offset_before:+} {seqadj.offset_after:+}"
        )

    def set_mark(self, original: Tuple, mark: int, mask: int) -> None:
        self._refuse("mark")
        assert self.conntrack is not None
        assert original == self.conntrack.original
        self.conntrack = replace(self.conntrack, mark=(self.conntrack.mark & ~mask) | mark)
        self.done.append(f"mark {mark:#x}/{mask:#x}")

    def list_conntracks(
        self, family: int, *, mark: int = 0, mask: int = 0, status: Status = NO_STATUS
    ) -> list[Conntrack]:
        self.done.append("list conntracks")
        every = [one for one in (self.conntrack, *self.others) if one is not None]
        return [
            one
            for one in every
            if one.original.family == family and one.mark & mask == mark and status in one.status
        ]

    def _refuse(self, what: str) -> None:
        if what in self.refuse:
            raise KernelError(what, self.refuse[what])


class World:
    """An engine with its kernel; ``client`` and ``server`` are what either side sends."""

    def __init__(
        self,
        conntrack: Conntrack | None = MASQUERADED,
        settings: Settings = DEFAULTS,
        **kernel: Any,
    ) -> None:
        self.kernel = FakeKernel(conntrack, **kernel)
        self.engine = Engine("sane", after_nat=False, random=Random(7), settings=settings)
        self.notes: list[Note] = []
        self.transfers: list[Transfer] = []
        self.now = 0.0
        self.seq = {Direction.ORIGINAL: ISN, Direction.REPLY: ISN}
        home = conntrack or ROUTED
        self._templates = {d: packet(home.tuple(d), b"") for d in Direction}

    def inspect(self, raw: bytes, *, after_nat: bool = False) -> Verdict:
        """What the queue does with a packet: a glance, and if need be a walk."""
        if self.engine.glance(raw, after_nat=after_nat):
            return UNCHANGED
        return self.read(raw, after_nat=after_nat)

    def read(self, raw: bytes, *, after_nat: bool = False) -> Verdict:
        """Have the engine read a packet, however dull it is."""
        walk = self.engine.inspect(raw, after_nat=after_nat, now=self.now)
        return drive(walk, self.kernel, self.notes.append, self.transfers.append)

    def segment(
        self, direction: Direction, seq: int, payload: bytes, ack: int = ISN
    ) -> bytes | Verdict:
        """Put a segment through; the payload that leaves, or the verdict that stops it."""
        verdict = self.inspect(self.raw(direction, seq, payload, ack))
        match verdict:
            case Drop():
                return verdict
            case Accept(packet=None):
                return payload
            case Accept(packet=bytes(changed)):
                return parse_segment(changed).payload
        raise AssertionError(verdict)

    def raw(self, direction: Direction, seq: int, payload: bytes, ack: int = ISN) -> bytes:
        template = bytearray(self._templates[direction])
        at = parse_segment(bytes(template)).tcp_offset + 8
        template[at : at + 4] = ack.to_bytes(4)
        return rebuild(bytes(template), parse_segment(bytes(template)), payload, seq)

    def say(self, direction: Direction, payload: bytes, ack: int = ISN) -> bytes | Verdict:
        """Send the next bytes of one side's stream."""
        seq = self.seq[direction]
        self.seq[direction] = seq + len(payload)
        return self.segment(direction, seq, payload, ack)

    def client(self, payload: bytes) -> bytes | Verdict:
        return self.say(Direction.ORIGINAL, payload)

    def server(self, payload: bytes, ack: int = ISN) -> bytes | Verdict:
        return self.say(Direction.REPLY, payload, ack)

    def noted(self) -> list[tuple[NoteKind, str]]:
        """What the engine noted; the kernel's refusals are the driver's to note."""
        notes = [note for note in self.notes if note.kind is not NoteKind.KERNEL_ERROR]
        return [(note.kind, note.reason) for note in notes]
