"""The story of a capture: frames in, `Report` out, through the engine that a gateway runs.

A control connection is one to a control port, or one whose server greets with 220 and whose
client then begins with USER or AUTH. Its conntrack is made from the capture: nothing is
translated, because a capture shows one side of any NAT, and the helper is attached. So
the engine rewrites and holds nothing, and its verdicts do not matter: what it has
the kernel expect, and what it notes, is the story.

A data connection is any other between the two hosts of a control connection. Its first packet
stands for its SYN where that is not in the capture, in the direction that was expected, if
any was. What is kept of live connections is bounded; only the report grows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final, TypeAlias

from ftpfw.capture.announced import announced
from ftpfw.capture.connections import Connection, Connections, Pair
from ftpfw.capture.dialogue import Dialogue
from ftpfw.capture.greeting import Greeting
from ftpfw.capture.heard import Heard
from ftpfw.capture.kernel import CaptureKernel
from ftpfw.capture.linklayer import Strip, strip_for
from ftpfw.capture.losses import Losses, filler
from ftpfw.capture.report import Control, Counts, Data, Negotiated, Report
from ftpfw.conntrack.model import Conntrack, Direction, Status, Tuple
from ftpfw.helper.commands import Note, NoteKind
from ftpfw.helper.driver import drive
from ftpfw.helper.engine import Engine
from ftpfw.helper.settings import Settings
from ftpfw.tcp import serial
from ftpfw.tcp.segment import ACK, SYN, Segment, SegmentError, parse_segment

CONNECTIONS: Final = 32768
"""TCP connections remembered at a time, of whatever protocol."""

DIALOGUES: Final = 100
"""Control connections whose lines are kept, if any are."""

HELPER: Final = "ftpfw"

DECIDED: Final = frozenset({NoteKind.EXPECTED, NoteKind.REFUSED, NoteKind.UNUSABLE})

NOT_IP: Final = "not IP"

TLS_TEXT: Final = "TLS: nobody can read on"


@dataclass(slots=True)
class Session:
    """A control connection while it is read; ``number`` is that of its first packet."""

    number: int
    began: float
    conntrack: Conntrack
    dialogue: Dialogue | None
    losses: Losses = field(default_factory=Losses)
    negotiations: list[Negotiated] = field(default_factory=list)
    tls_since: float | None = None

    def told(self) -> Control:
        """What the report has of it."""
        original, negotiations = self.conntrack.original, tuple(self.negotiations)
        return Control(
            self.number, original, self.began, negotiations, self.tls_since, self.dialogue
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """A connection was expected: the number of its control connection, and the line."""

    control: int
    line: str


Part: TypeAlias = Session | Greeting | Expected | None


class Story:
    """Reads a capture's frames, in their order.

    ``ports`` are the control ports; ``lines`` is how many lines to keep of each of the first
    control connections, for reading.
    """

    def __init__(self, ports: frozenset[int], lines: int = 0) -> None:
        self._ports = ports
        self._lines = lines
        self._strips: dict[int, Strip] = {}
        self._count = 0
        self._cut_short = 0
        self._lost = 0
        self._skipped: Counter[str] = Counter()
        self._connections: Connections[Part] = Connections(CONNECTIONS)
        self._controls: list[Control] = []
        self._dialogues = 0
        self._pairs: set[Pair] = set()
        self._data: list[Data] = []
        self._kernel = CaptureKernel(self._conntrack)
        self._settings = Settings()
        random = Random(0)  # noqa: S311 - nothing is translated, so no port is ever drawn
        self._engine = Engine(HELPER, after_nat=False, random=random, settings=self._settings)

    def feed(self, time: float, link_type: int, frame: bytes) -> None:
        """Take the next frame; CaptureError where its link type is not known."""
        self._count += 1
        strip = self._strips.get(link_type)
        if strip is None:
            strip = self._strips[link_type] = strip_for(link_type)
        packet = strip(frame)
        if packet is None:
            self._skipped[NOT_IP] += 1
            return
        missing = _missing(packet)
        try:
            segment = parse_segment(packet + bytes(missing) if missing > 0 else packet)
        except SegmentError as error:
            self._skipped[error.reason] += 1
            return
        found = self._connections.current(segment) or self._begin(segment, time)
        connection, direction = found
        connection.take(direction, segment, time)
        if missing > 0:
            self._cut_short += 1
        elif isinstance(connection.part, Session | Greeting):
            heard = Heard(self._count, time, direction, packet, segment)
            self._listen(connection, heard)

    def report(self) -> Report:
        """What has been read, told."""
        for connection in self._connections:
            self._leave(connection)
        return Report(
            tuple(sorted(self._controls, key=lambda one: one.number)),
            tuple(sorted(self._data, key=lambda one: one.number)),
            Counts(self._count, self._skipped, self._cut_short, self._lost),
        )

    def _begin(self, segment: Segment, time: float) -> tuple[Connection[Part], Direction]:
        """Open a connection with its first packet."""
        self._kernel.now = time
        way = Tuple(segment.src, segment.sport, segment.dst, segment.dport)
        direction = self._direction(way, segment.flags)
        opener = way if direction is Direction.ORIGINAL else way.inverted()
        connection, left = self._connections.open(self._count, segment, direction, time, None)
        for one in left:
            self._leave(one)
        if opener.dport in self._ports:
            self._hold_session(connection)
        else:
            connection.part = self._meet(opener) or _greeting(segment)
        return connection, direction

    def _direction(self, way: Tuple, flags: int) -> Direction:
        """Which direction a connection's first packet travels in."""
        if flags & SYN:
            return Direction.REPLY if flags & ACK else Direction.ORIGINAL
        is_reply = way.sport in self._ports and way.dport not in self._ports
        is_reply |= self._kernel.expects(way.inverted()) and not self._kernel.expects(way)
        return Direction.REPLY if is_reply else Direction.ORIGINAL

    def _hold_session(self, connection: Connection[Part]) -> Session:
        """A connection is a control connection."""
        original = connection.tuple
        conntrack = Conntrack(
            connection.number, original, original.inverted(), Status.CONFIRMED, helper=HELPER
        )
        start = None if connection.isn is None else serial.add(connection.isn, 1)
        dialogue = None
        if self._lines and self._dialogues < DIALOGUES:
            self._dialogues += 1
            dialogue = Dialogue(self._lines, start)
        session = Session(connection.number, connection.began, conntrack, dialogue)
        connection.part = session
        self._pairs.add(connection.pair)
        return session

    def _meet(self, way: Tuple) -> Expected | None:
        """Which line, if any, had a new connection expected."""
        expectation = self._kernel.meet(way)
        session = expectation and self._session(expectation.master)
        if not expectation or not session:
            return None
        for one in reversed(session.negotiations):
            if one.accepted and one.port == expectation.tuple.dport and one.source == way.src:
                return Expected(session.number, one.line)
        return None

    def _leave(self, connection: Connection[Part]) -> None:
        """A connection leaves the table."""
        part = connection.part
        if isinstance(part, Session):
            self._kernel.forget(connection.tuple)
            self._controls.append(part.told())
        elif connection.pair in self._pairs:
            expected = part if isinstance(part, Expected) else None
            self._data.append(
                Data(
                    number=connection.number,
                    original=connection.tuple,
                    began=connection.began,
                    ended=connection.ended,
                    carried=(connection.bytes[0], connection.bytes[1]),
                    line=expected.line if expected else None,
                    control=expected.control if expected else None,
                )
            )

    def _session(self, tuple_: Tuple) -> Session | None:
        found = self._connections.find(tuple_)
        part = found and found[0].part
        return part if isinstance(part, Session) else None

    def _conntrack(self, tuple_: Tuple) -> Conntrack | None:
        session = self._session(tuple_)
        return session.conntrack if session else None

    def _listen(self, connection: Connection[Part], heard: Heard) -> None:
        """Take a packet of a control connection, or of one that may turn out to be one."""
        part = connection.part
        if isinstance(part, Session):
            self._read(part, heard)
        elif isinstance(part, Greeting) and heard.segment.payload:
            verdict = part.judge(heard)
            if verdict is not None:
                connection.part = None
            if verdict:
                session = self._hold_session(connection)
                for earlier in part.heard:
                    self._read(session, earlier)

    def _read(self, session: Session, heard: Heard) -> None:
        """Have the engine, and where it is kept the dialogue, read a packet."""
        self._kernel.now = heard.time
        note = partial(self._note, session, heard)
        hole = session.losses.before(heard.direction, heard.segment)
        if hole:
            self._lost += hole
            self._inspect(filler(heard.packet, heard.segment, hole), heard.time, note)
        opaque = self._is_opaque(session)
        self._inspect(heard.packet, heard.time, note)
        turned = self._is_opaque(session)
        if turned and session.tls_since is None:
            session.tls_since = heard.time
        if session.dialogue and not (opaque and turned):
            if heard.segment.payload:
                session.dialogue.feed(heard, lost=hole > 0)
            if turned:
                session.dialogue.stop(heard, TLS_TEXT)

    def _inspect(self, packet: bytes, time: float, note: Callable[[Note], None]) -> None:
        if not self._engine.glance(packet, after_nat=False):
            walk = self._engine.inspect(packet, after_nat=False, now=time)
            drive(walk, self._kernel, note)

    def _is_opaque(self, session: Session) -> bool:
        """Whether the engine has marked a connection as turned to TLS."""
        return bool(self._kernel.mark(session.conntrack.original) & self._settings.mark)

    def _note(self, session: Session, heard: Heard, note: Note) -> None:
        if note.kind in DECIDED and note.about is not None:
            original = session.conntrack.original
            session.negotiations.append(announced(note, note.about, original, heard))


def _greeting(segment: Segment) -> Greeting | None:
    """What to make of a connection that nobody expected: FTP may be spoken on any port."""
    return Greeting() if segment.flags & SYN else None


def _missing(packet: bytes) -> int:
    """How many bytes of an IP packet the capture has cut off, by the length in its header.

    Zeros stand in for them, so that the headers can be read. A header that is cut off itself
    is refused all the same: zeros are no TCP header.
    """
    if len(packet) < 6:
        return 0
    if packet[0] >> 4 == 4:
        return int.from_bytes(packet[2:4]) - len(packet)
    return 40 + int.from_bytes(packet[4:6]) - len(packet)
