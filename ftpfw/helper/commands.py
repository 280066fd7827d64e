"""What passes between the engine and its shell while one packet is inspected.

The engine is a generator: it yields a `Command`, is sent the `Outcome`, and returns
a `Verdict`. The shell carries commands out in the order in which they come, so an
expectation is in the kernel before the verdict lets the line that announced it leave.

    GetConntrack       -> Conntrack, or None where the kernel has no such entry
    AddExpectation     -> None, or the KernelError
    FindExpectation    -> Expectation, or None where the kernel holds none of that tuple
    DeleteExpectation  -> None, or the KernelError
    SetSeqAdj          -> None, or the KernelError
    SetMark            -> None, or the KernelError
    FindMarked         -> Conntrack, or None where there is none
    ListExpectations   -> a tuple of Expectation
    Transfer           -> None; for the transfer log
    Note               -> None; something to count and to log
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ftpfw.conntrack.model import Conntrack, Direction, Expectation, SeqAdj, Tuple
from ftpfw.errors import KernelError
from ftpfw.ftp.checks import Action
from ftpfw.ftp.negotiation import Kind


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
    OPAQUE = "opaque"  # a control connection has turned to TLS, or back to clear text
    KNOCK = "knock"  # a SYN to a passive port of FTPS that came to nothing
    CHECK = "check"  # a strict check has found something; the reason is its name
    KERNEL_ERROR = "kernel-error"  # ctnetlink refused something; the reason is the errno


@dataclass(frozen=True, slots=True)
class Note:
    """Something to count; ``reason`` is one of a bounded set, ``detail`` is free text for the log.

    ``detail`` never holds more of the conversation than a negotiation's own line.
    ``about`` says which negotiation came to that, ``action`` what a check did about it.
    """

    kind: NoteKind
    reason: str = ""
    tuple: Tuple | None = None
    detail: str = ""
    about: Kind | None = None
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer as its control connection tells it: once asked for, then again when answered.

    ``control`` is the control connection's original tuple, ``number`` counts its transfers from
    1. ``data`` is the tuple of the expectation it will use (source port 0: any), None where
    nothing was expected. ``path`` is as the client sent it. ``size`` is what the server's 1xx
    reply announced, if it did. ``reply`` is the final reply's code, None until it came.
    """

    control: Tuple
    number: int
    data: Tuple | None
    kind: Kind | None
    user: str | None
    verb: str
    path: str
    size: int | None = None
    reply: int | None = None


@dataclass(frozen=True, slots=True)
class SetMark:
    """Set the bits ``mask`` of a connection's connmark to those of ``mark``."""

    original: Tuple
    mark: int
    mask: int


@dataclass(frozen=True, slots=True)
class FindMarked:
    """Read the control connection with the connmark bit ``mask`` between two addresses.

    ``client``, ``server`` and ``port`` are source and destination of its original tuple.
    """

    client: bytes
    server: bytes
    port: int
    mask: int


@dataclass(frozen=True, slots=True)
class ListExpectations:
    """Read all expectations of a family."""

    family: int


Command: TypeAlias = (
    GetConntrack
    | AddExpectation
    | FindExpectation
    | DeleteExpectation
    | SetSeqAdj
    | SetMark
    | FindMarked
    | ListExpectations
    | Transfer
    | Note
)
Outcome: TypeAlias = Conntrack | Expectation | tuple[Expectation, ...] | KernelError | None


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
