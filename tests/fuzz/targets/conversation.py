"""The engine against conversations that make sense, cut, repeated and reordered at will.

Each announcement has a port of its own, so that an expectation can be traced to the line
that asked for it: no port opens but one that the announcer's own side announced, in a line
of its kind, with an address that is its own. Decoys (the other side's lines, foreign addresses,
text inside other lines) open nothing. Once a check has reset the connection, no byte leaves.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from ftpfw.conntrack.model import Conntrack, Direction
from ftpfw.ftp.checks import Action, Check
from ftpfw.ftp.hostport import HostPort, format_eprt, format_port
from ftpfw.helper.commands import Accept, NoteKind
from ftpfw.tcp.segment import ACK, PSH, Segment, parse_segment
from ftpfw.tcp.serial import add, after
from tests.fuzz.gateway import PATHS, announcer_of, listens_at
from tests.fuzz.packets import build
from tests.fuzz.script import Script
from tests.fuzz.twins import SETTINGS, Twins, hooked

ISN = 4294967000
"""Sequence numbers wrap in the middle of the conversation."""

FIRST_PORT = 0x3031
"""Each announcement has the next port."""

FOREIGN = {4: ip_address("203.0.113.99"), 6: ip_address("2001:db8:bad::99")}

DULL = {
    Direction.ORIGINAL: (
        b"USER ftp\r\n", b"PASS x\r\n", b"NOOP\r\n", b"PASV\r\n", b"EPSV\r\n", b"LIST\r\n",
        b"RETR f\r\n", b"\xff\xf4\xf2ABOR\r\n", b"AUTH TLS\r\n", b"REIN\r\n", b"EPSV ALL\r\n",
    ),
    Direction.REPLY: (
        b"220 hi\r\n", b"331 who\r\n", b"230 in\r\n", b"200 ok\r\n", b"150 (9 bytes)\r\n",
        b"226 done\r\n", b"500 no\r\n", b"211-\r\n  feature\r\n", b"211 end\r\n", b"234 go\r\n",
    ),
}  # fmt: skip

HARMLESS = {NoteKind.EXPECTED, NoteKind.REWRITTEN, NoteKind.HELD, NoteKind.CHECK}


class Side:
    """One side's stream, and the ports that it may open."""

    def __init__(self, direction: Direction, home: Conntrack) -> None:
        self.direction = direction
        self.stream = b""
        self.honest: set[int] = set()
        self.hidden: set[int] = set()
        """Ports of text that only a reader from the middle of a line on could take seriously."""
        self.at = 0
        self.acked = ISN
        self.begun_late: bool | None = None
        """None until the first segment; then whether it was not the stream's first."""
        self._own = ip_address(home.tuple(direction).src)
        self._seen = ip_address(home.tuple(direction.other).dst)

    def dull(self, script: Script, port: int) -> None:
        self.stream += script.pick(DULL[self.direction])

    def announce(self, script: Script, port: int) -> None:
        address = script.pick((self._own, self._seen))
        self._say(_announcement(script, self.direction, address, port), port)

    def announce_foreign(self, script: Script, port: int) -> None:
        line = _announcement(script, self.direction, FOREIGN[self._own.version], port)
        if line.startswith(b"229"):  # which names no address
            self._say(line, port)
        else:
            self.stream += line

    def announce_as_the_other(self, script: Script, port: int) -> None:
        self.stream += _announcement(script, self.direction.other, self._own, port)

    def hide(self, script: Script, port: int) -> None:
        line = _announcement(script, self.direction, self._own, port)
        self.stream += b"STOR " if self.direction is Direction.ORIGINAL else b"211-look\r\n "
        self.stream += line
        if self.direction is Direction.REPLY:
            self.stream += line + b"211 end\r\n"
        self.hidden.add(port)

    def _say(self, line: bytes, port: int) -> None:
        self.stream += line
        self.honest.add(port)


def _announcement(
    script: Script, speaker: Direction, address: IPv4Address | IPv6Address, port: int
) -> bytes:
    """A line that announces a port; PORT and 227 exist for IPv4 only."""
    endpoint = HostPort(address, port)
    short = address.version == 4 and script.number() & 1
    if speaker is Direction.ORIGINAL:
        told = b"PORT " + format_port(endpoint) if short else b"EPRT " + format_eprt(endpoint)
        return told + b"\r\n"
    if short:
        return b"227 Entering Passive Mode (" + format_port(endpoint) + b").\r\n"
    return b"229 Entering Extended Passive Mode (|||%d|)\r\n" % port


SAYINGS = (
    Side.announce,
    Side.announce,
    Side.announce,
    Side.dull,
    Side.dull,
    Side.announce_foreign,
    Side.announce_as_the_other,
    Side.hide,
)


class Talk:
    """Two streams through the engine, in segments that the script chooses."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.home = script.pick(PATHS)
        after_nat = bool(script.number() & 1)
        self.twins = Twins(self.home, script.pick(SETTINGS), after_nat=after_nat)
        self.sides = {direction: Side(direction, self.home) for direction in Direction}
        for number in range(script.number() % 24):
            side = self.sides[script.pick(tuple(Direction))]
            script.pick(SAYINGS)(side, script, FIRST_PORT + number)

    def step(self) -> None:
        side = self.sides[self.script.pick(tuple(Direction))]
        length = 1 + self.script.number() % 120
        start = side.at
        match self.script.number() % 8:
            case 6:
                start = max(side.at + self.script.signed(), 0)
            case 7:
                self.twins.now += self.script.number() % 5
        self._send(side, start, side.stream[start : start + length])

    def _send(self, side: Side, start: int, payload: bytes) -> None:
        at = hooked(self.home, side.direction, after_nat=self.twins.after_nat)
        acked = self.sides[side.direction.other].acked
        if side.begun_late is None and payload:
            side.begun_late = start > 0
        raw = build(at, add(ISN, start), acked, PSH | ACK, payload)
        verdict = self.twins.inspect(raw)
        if isinstance(verdict, Accept):
            side.at = max(side.at, start + len(payload))
            left = parse_segment(verdict.packet or raw)
            assert not (left.payload and self._was_reset()), "said after the end"
            self._deliver(side, left)

    def _was_reset(self) -> bool:
        """A refused PORT is withdrawn, whatever the action."""
        return any(
            note.action is Action.RESET and note.reason != Check.PORT_REFUSED
            for note in self.twins.notes
        )

    def _deliver(self, side: Side, segment: Segment) -> None:
        """The receiver acknowledges, in its own numbers, what it gets."""
        seqadj = self.twins.kernel.conntrack.seqadj[side.direction]
        end = add(segment.seq, len(segment.payload))
        if seqadj is not None:  # nf_ct_seq_offset()
            late = after(segment.seq, seqadj.correction_pos)
            end = add(end, seqadj.offset_after if late else seqadj.offset_before)
        if after(end, side.acked):
            side.acked = end

    def require_announced(self) -> None:
        """Every port that opened was announced, by the side that will listen there."""
        missed = any(note.kind not in HARMLESS for note in self.twins.notes)
        for expectation in self.twins.kernel.granted:
            side = self.sides[announcer_of(self.home, expectation)]
            allowed = side.honest | (side.hidden if missed or side.begun_late else set())
            assert listens_at(expectation) in allowed, expectation


def fuzz(data: bytes) -> None:
    script = Script(data)
    talk = Talk(script)
    while script.goes_on:
        talk.step()
    talk.require_announced()
    talk.twins.require_bounded()
