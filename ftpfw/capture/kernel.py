"""A kernel in memory for the engine: expectations by the capture's own clock.

Source: net/netfilter/nf_conntrack_expect.c (nf_ct_expect_related_report, a clash is EBUSY)
and nf_conntrack_core.c init_conntrack(): an expectation serves one connection, the first.
A control connection may hold as many expectations as a helper's policy can allow; the oldest
goes then (evict_oldest_expect). Nothing is translated in a capture, so no sequence
numbers are ever adjusted.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

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
from ftpfw.helper.flow import Key, key_of

MAX_EXPECTED: Final = 255
"""NF_CT_EXPECT_MAX_CNT: the most that a helper's policy allows one control connection."""

Target: TypeAlias = tuple[bytes, bytes, int]
"""Source, destination and destination port: what every mask of the engine's fixes."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An expectation that no connection has met yet; it is gone after ``until``."""

    expectation: Expectation
    until: float


class CaptureKernel:
    """Conntracks that others keep, and their expectations.

    ``find`` reads the conntrack that owns a tuple; ``now`` is the time of the packet at hand.
    """

    def __init__(self, find: Callable[[Tuple], Conntrack | None]) -> None:
        self.now = 0.0
        self._find = find
        self._waiting: dict[Target, Waiting] = {}
        self._held: dict[Key, list[Target]] = {}
        self._marks: dict[Key, int] = {}

    def get(self, tuple_: Tuple) -> Conntrack | None:
        """Read the entry that owns a tuple."""
        conntrack = self._find(tuple_)
        if conntrack is None:
            return None
        return replace(conntrack, mark=self.mark(conntrack.original))

    def mark(self, original: Tuple) -> int:
        """The connmark of a connection."""
        return self._marks.get(key_of(original), 0)

    def add_expectation(self, expectation: Expectation) -> None:
        """Expect a connection, exclusively."""
        self._expire()
        target = _target(expectation.tuple)
        if target in self._waiting:
            raise KernelError(f"expect {expectation.tuple}", errno.EBUSY)
        held = self._held.setdefault(key_of(expectation.master), [])
        if len(held) >= MAX_EXPECTED:
            self._drop(held[0])
        self._waiting[target] = Waiting(expectation, self.now + expectation.timeout)
        held.append(target)

    def list_expectations(self, family: int) -> list[Expectation]:
        """The expectations of a family that still wait."""
        self._expire()
        every = (waiting.expectation for waiting in self._waiting.values())
        return [expectation for expectation in every if expectation.tuple.family == family]

    def delete_expectation(self, expectation: Expectation) -> None:
        """Withdraw an expectation."""
        if _target(expectation.tuple) not in self._waiting:
            raise KernelError(f"delete the expectation of {expectation.tuple}", errno.ENOENT)
        self._drop(_target(expectation.tuple))

    def set_seqadj(self, original: Tuple, direction: Direction, seqadj: SeqAdj) -> None:
        """Refuse: see above."""
        del direction, seqadj
        raise KernelError(f"adjust the sequence numbers of {original}", errno.EOPNOTSUPP)

    def set_mark(self, original: Tuple, mark: int, mask: int) -> None:
        """Set bits of a connection's mark."""
        self._marks[key_of(original)] = self.mark(original) & ~mask | mark & mask

    def list_conntracks(
        self, family: int, *, mark: int = 0, mask: int = 0, status: Status = NO_STATUS
    ) -> list[Conntrack]:
        """The marked connections of a family, whose mark under ``mask`` is ``mark``."""
        conntracks = (self.get(Tuple(*key)) for key in list(self._marks))
        return [
            one
            for one in conntracks
            if one is not None
            and one.original.family == family
            and one.mark & mask == mark
            and status in one.status
        ]

    def forget(self, original: Tuple) -> None:
        """A connection is over; what it expected goes with it (nf_ct_remove_expectations)."""
        for target in self._held.pop(key_of(original), []):
            del self._waiting[target]
        self._marks.pop(key_of(original), None)

    def expects(self, way: Tuple) -> bool:
        """Whether a connection that opens with a packet of tuple ``way`` would be RELATED."""
        waiting = self._waiting.get(_target(way))
        return (
            waiting is not None
            and self.now <= waiting.until
            and waiting.expectation.tuple.sport in (way.sport, 0)
        )

    def meet(self, way: Tuple) -> Expectation | None:
        """A connection opens with a packet of tuple ``way``; use up what expected it."""
        if not self.expects(way):
            return None
        return self._drop(_target(way)).expectation

    def _drop(self, target: Target) -> Waiting:
        waiting = self._waiting.pop(target)
        self._held[key_of(waiting.expectation.master)].remove(target)
        return waiting

    def _expire(self) -> None:
        """Drop what has waited too long; the oldest stand first."""
        while self._waiting:
            target, oldest = next(iter(self._waiting.items()))
            if oldest.until >= self.now:
                break
            self._drop(target)


def _target(way: Tuple) -> Target:
    return (way.src, way.dst, way.dport)
