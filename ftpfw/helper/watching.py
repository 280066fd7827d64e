"""What becomes of expectations: which are open, and how each of the others ended (pure).

The kernel tells the end of an expectation, not its reason (ctnetlink_expect_event). A
connection that uses it is told after that end, once its first packet has passed every
hook (nf_conntrack_confirm), so an end before its time stays undecided for a moment. If no
connection comes by then it was withdrawn, gave way to a newer one of its master's, or was
used by a packet that the firewall dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ftpfw.conntrack.model import Expectation, Status, Tuple
from ftpfw.conntrack.wire_event import Event, ExpectDestroy, ExpectNew, New

DECIDED_WITHIN = 1.0
"""Seconds from an expectation's end until the connection that used it has been told."""

SLACK = 1.5
"""Seconds by which an end may seem early: the kernel tells what is left in whole seconds."""

Key: TypeAlias = tuple[Tuple, Tuple, int]


class Fate(StrEnum):
    """How an expectation began or ended, as events name it."""

    OPEN = "open"  # it was there when the watch began
    EXPECTED = "expected"
    USED = "used"
    TIMED_OUT = "timed-out"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Happening:
    """What happened to an expectation; ``connection`` is the one that used it."""

    fate: Fate
    expectation: Expectation
    connection: Tuple | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """An open expectation and when its time is up, or one that has ended and is decided then."""

    expectation: Expectation
    until: float


class ExpectationWatch:
    """Follows expectations by events; times are in seconds of any steady clock."""

    def __init__(self) -> None:
        self._open: dict[Key, Opened] = {}
        self._undecided: list[Opened] = []

    def opened(self) -> list[Opened]:
        """Those that are open, the oldest first."""
        return list(self._open.values())

    def begin(self, expectations: Iterable[Expectation], now: float) -> list[Happening]:
        """Take what the kernel lists, at first or after events were lost."""
        listed = {_key(one): one for one in expectations}
        happened = []
        for key in self._open.keys() - listed.keys():
            happened += self._end(self._open.pop(key), now)
        for key, one in listed.items():
            if key not in self._open:
                self._open[key] = Opened(one, now + one.timeout)
                happened.append(Happening(Fate.OPEN, one))
        return happened

    def feed(self, event: Event, now: float) -> list[Happening]:
        """Take an event; what is now known to have happened."""
        match event:
            case ExpectNew(expectation=one) if _key(one) not in self._open:
                self._open[_key(one)] = Opened(one, now + one.timeout)
                return [Happening(Fate.EXPECTED, one)]
            case ExpectDestroy(expectation=one) if _key(one) in self._open:
                return self._end(self._open.pop(_key(one)), now)
            case New(conntrack=conntrack) if Status.EXPECTED in conntrack.status:
                return self._use(conntrack.original)
        return []

    def decide(self, now: float) -> list[Happening]:
        """Give up on connections that have not come in time."""
        gone = [one for one in self._undecided if one.until <= now]
        self._undecided = [one for one in self._undecided if one.until > now]
        return [Happening(Fate.GONE, one.expectation) for one in gone]

    def _end(self, one: Opened, now: float) -> list[Happening]:
        if now >= one.until - SLACK:
            return [Happening(Fate.TIMED_OUT, one.expectation)]
        self._undecided.append(Opened(one.expectation, now + DECIDED_WITHIN))
        return []

    def _use(self, connection: Tuple) -> list[Happening]:
        for one in self._undecided:
            if covers(one.expectation, connection):
                self._undecided.remove(one)
                return [Happening(Fate.USED, one.expectation, connection)]
        return []


def covers(expectation: Expectation, connection: Tuple) -> bool:
    """Whether a connection is the expected one: equal wherever the mask has bits."""
    wanted, mask = expectation.tuple, expectation.mask
    return (
        _equal(wanted.src, connection.src, mask.src)
        and _equal(wanted.dst, connection.dst, mask.dst)
        and not (wanted.sport ^ connection.sport) & mask.sport
        and not (wanted.dport ^ connection.dport) & mask.dport
    )


def _equal(wanted: bytes, given: bytes, mask: bytes) -> bool:
    return len(wanted) == len(given) and all(
        not (a ^ b) & bit for a, b, bit in zip(wanted, given, mask, strict=True)
    )


def _key(expectation: Expectation) -> Key:
    return (expectation.tuple, expectation.master, expectation.zone)
