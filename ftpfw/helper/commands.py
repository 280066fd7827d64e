"""What passes between the engine and its shell while one packet is inspected.

The engine is a generator: it yields a `Command`, is sent the `Outcome`, and returns
a `Verdict`. The shell carries commands out in the order in which they come, so an
expectation is in the kernel before the verdict lets the line that announced it leave.

    GetConntrack       -> Conntrack, or None where the kernel has no such entry
    AddExpectation     -> None, or the KernelError
    FindExpectation    -> Expectation, or None where the kernel holds none of that tuple
    DeleteExpectation  -> None, or the KernelError
    SetSeqAdj          -> None, or the KernelError
    Note               -> None; something to count and to log
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ftpfw.conntrack.model import Conntrack, Direction, Expectation, SeqAdj, Tuple
from ftpfw.errors import KernelError


@dataclass(frozen=True, slots=True)
class GetConntrack:
    """Read the entry that owns this tuple, in either direction."""

    tuple: Tuple


@dataclass(frozen=True, slots=True)
class AddExpectation:
    """Expect a data connection; refused with EEXIST or EBUSY on a clash."""

    expectation: Expectation


@dataclass(frozen=True, slots=True)
class FindExpectation:
    """Read the expectation that an equal one clashed with."""

    expectation: Expectation


@dataclass(frozen=True, slots=True)
class DeleteExpectation:
    """Withdraw an expectation."""

    expectation: Expectation


@dataclass(frozen=True, slots=True)
class SetSeqAdj:
    """Have the kernel shift the sequence numbers of one direction of a connection."""

    original: Tuple
    direction: Direction
    seqadj: SeqAdj


class NoteKind(Enum):
    """What can be worth counting about a packet; the values are the names in reports."""

    EXPECTED = "expected"  # an expectation is in the kernel
    REWRITTEN = "rewritten"  # a line leaves with another address or port
    REFUSED = "refused"  # understood, but it opens nothing
    UNUSABLE = "unusable"  # a PORT, EPRT, 227 or 229 that cannot be understood
    LINE_TOO_LONG = "line-too-long"
    NOT_A_SEGMENT = "not-a-segment"  # a packet that is no whole TCP segment
    UNTRACKED = "untracked"  # no conntrack, or another helper's
    HELD = "held"  # a cut line waits for its rest
    HOLD_GIVEN_UP = "hold-given-up"  # ... and left unrewritten after all
    RESYNCHRONISED = "resynchronised"  # bytes were missed; inspection goes on behind them


@dataclass(frozen=True, slots=True)
class Note:
    """Something to count; ``reason`` is one of a bounded set, ``detail`` is free text for the log.

    ``detail`` never holds more of the conversation than a negotiation's own line.
    """

    kind: NoteKind
    reason: str = ""
    tuple: Tuple | None = None
    detail: str = ""


Command: TypeAlias = (
    GetConntrack | AddExpectation | FindExpectation | DeleteExpectation | SetSeqAdj | Note
)
Outcome: TypeAlias = Conntrack | Expectation | KernelError | None


@dataclass(frozen=True, slots=True)
class Accept:
    """The packet goes on, as ``packet`` where that is given, else as it came."""

    packet: bytes | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """The packet goes no further; its sender will repeat it."""


Verdict: TypeAlias = Accept | Drop

Walk: TypeAlias = Generator[Command, Outcome, Verdict]

UNCHANGED = Accept()
HELD_BACK = Drop()
