"""What one inspector has seen and done: counters, verdict times, the last refusals (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from ftpfw.conntrack.model import format_endpoint
from ftpfw.helper.commands import HELD_BACK, UNCHANGED, Note, NoteKind, Verdict

REFUSALS = frozenset({NoteKind.REFUSED, NoteKind.UNUSABLE, NoteKind.HOLD_GIVEN_UP, NoteKind.CHECK})
"""Notes that somebody may ask about, because something did not come to pass."""

REMEMBERED = 20
"""Refusals that are kept, the last ones."""

LONGEST_LINE = 200
"""Characters of a refused line that are kept: the longest EPRT takes 60."""

BOUNDS = (25e-6, 50e-6, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 1e-1)
"""Upper ends of the histogram's buckets, in seconds.

A packet that goes on at a glance takes some 10 µs; one that asks the kernel for something,
hundreds. From 5 ms on it is not us but the scheduler.
"""


@dataclass(slots=True)
class Histogram:
    """How many verdicts took how long; the last count is of those beyond every bound."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    sum: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one verdict."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    def as_json(self) -> dict[str, Any]:
        """``bounds`` of the buckets, ``counts`` (one more than bounds), ``sum`` in seconds."""
        return {"bounds": list(BOUNDS), "counts": list(self.counts), "sum": self.sum}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that did not come to pass, at ``time`` (seconds since 1970)."""

    time: float
    note: Note

    def as_json(self) -> dict[str, Any]:
        """``why`` is the reason, or what it was; ``action`` what a check did about it."""
        note = self.note
        at = note.tuple
        return {
            "time": self.time,
            "client": format_endpoint(at.src, at.sport) if at else None,
            "server": format_endpoint(at.dst, at.dport) if at else None,
            "why": note.reason or note.kind.value,
            "action": note.action.value if note.action else None,
            "line": note.detail[:LONGEST_LINE],
        }


@dataclass(slots=True)
class Tally:
    """Counters since the helper started.

    ``errors`` are faults of our own, which fail open; ``overruns`` are times when the
    kernel had more packets than the queue's socket could take. One thread counts, another
    may ask for `as_json` meanwhile: each table is copied in one step of the interpreter.
    """

    packets: int = 0
    rebuilt: int = 0
    held: int = 0
    errors: int = 0
    overruns: int = 0
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)
    negotiations: Counter[tuple[str, str]] = field(default_factory=Counter)
    checks: Counter[tuple[str, str]] = field(default_factory=Counter)
    verdicts: Histogram = field(default_factory=Histogram)
    refusals: deque[Refusal] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def count(self, verdict: Verdict) -> None:
        """Count a packet by its verdict."""
        self.packets += 1
        if verdict is HELD_BACK:
            self.held += 1
        elif verdict is not UNCHANGED:
            self.rebuilt += 1

    def note(self, note: Note, now: float) -> None:
        """Count a note, in every way in which it is asked for; ``now`` is the time of day."""
        self.notes[note.kind.value, note.reason] += 1
        if note.kind is NoteKind.EXPECTED:
            self.negotiations[note.reason, note.kind.value] += 1
        elif note.about is not None and note.action is None:
            self.negotiations[note.about.name, note.kind.value] += 1
        if note.action is not None:
            self.checks[note.reason, note.action.value] += 1
        if note.kind in REFUSALS:
            self.refusals.append(Refusal(now, note))

    def as_json(self) -> dict[str, Any]:
        """The counters as reports show them.

        ``notes`` are {kind: {reason: count}}, ``negotiations`` {PORT …: {outcome: count}}
        without those that a check stopped, ``checks`` {check: {action: count}}; of
        ``refusals`` the last comes last.
        """
        return {
            "packets": self.packets,
            "rebuilt": self.rebuilt,
            "held": self.held,
            "errors": self.errors,
            "overruns": self.overruns,
            "notes": _nested(self.notes),
            "negotiations": _nested(self.negotiations),
            "checks": _nested(self.checks),
            "verdict_seconds": self.verdicts.as_json(),
            "refusals": [refusal.as_json() for refusal in tuple(self.refusals)],
        }


def _nested(counter: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (outer, inner), count in sorted(dict(counter).items()):
        nested.setdefault(outer, {})[inner] = count
    return nested
