"""Real sessions, told from their captures: all that was negotiated is found, and nothing else."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from scapy.utils import RawPcapReader

from ftpfw.ftp.lines import Line, LineReader
from ftpfw.ftp.negotiation import Kind, Negotiation, ReplyReader, Unusable, parse_command
from ftpfw.tcp.reassembly import Stream
from ftpfw.tcp.segment import ACK, SYN, Segment, SegmentError, parse_segment
from ftpfw.tcp.serial import add
from tests.unit.table import table

CAPTURES = Path(__file__).parents[4] / "shared" / "pcaps"
if not CAPTURES.is_dir():
    pytest.skip("needs the captures in ../shared/pcaps", allow_module_level=True)

CONTROL_PORT = 21
ETHERNET_HEADER = 14

Event = Negotiation | Unusable


class Side:
    """One direction of a control connection, from its SYN or from the middle on."""

    def __init__(self, first: Segment) -> None:
        self.stream = Stream(add(first.seq, 1 if first.flags & SYN else 0))
        self.lines = LineReader()
        self.read = parse_command if first.dport == CONTROL_PORT else ReplyReader().feed

    def feed(self, segment: Segment) -> Iterator[Event]:
        for line in self.lines.feed(self.stream.feed(segment.seq, segment.payload)):
            if isinstance(line, Line) and (event := self.read(line)):
                yield event


def segments(name: str) -> list[Segment]:
    with RawPcapReader(str(CAPTURES / name)) as frames:
        packets = [frame[ETHERNET_HEADER:] for frame, _ in frames]
    return [segment for packet in packets if (segment := segment_of(packet))]


def segment_of(packet: bytes) -> Segment | None:
    try:
        return parse_segment(packet)
    except SegmentError:
        return None


def negotiated(captured: list[Segment]) -> list[Event]:
    sides: dict[tuple[bytes, int, bytes, int], Side] = {}
    events: list[Event] = []
    for segment in captured:
        if CONTROL_PORT not in (segment.sport, segment.dport):
            continue
        key = (segment.src, segment.sport, segment.dst, segment.dport)
        if segment.flags & SYN or key not in sides:
            sides[key] = Side(segment)
        if not segment.flags & SYN:
            events += sides[key].feed(segment)
    return events


SESSIONS = [
    # capture                                           what it negotiates
    ("zeek/ipv4.pcap", {Kind.PORT: 2, Kind.PASV: 2}),
    ("zeek/ipv6.pcap", {Kind.EPRT: 2, Kind.EPSV: 3}),
    ("zeek/bigtransfer.pcap", {Kind.EPSV: 2}),
    ("zeek/retr.pcap", {Kind.EPSV: 1}),
    ("zeek/ftp-with-numbers-in-filename.pcap", {Kind.PASV: 4}),
    ("zeek/ftp-missing-reply-code.pcap", {}),
    ("zeek/ftp-password-pass-command.pcap", {}),
    (
        "suricata-verify/firewall__ruletype-firewall-116-ftp-all-data-ipv4__input.pcap",
        {Kind.PORT: 7, Kind.PASV: 7},
    ),
    ("suricata-verify/ftp-epsv__input.pcap", {Kind.EPSV: 4}),
    ("suricata-verify/ftp__ftp-download-active__input.pcap", {Kind.PORT: 3}),
    ("suricata-verify/ftp__ftp-download-passive__input.pcap", {Kind.PASV: 3}),
    ("suricata-verify/ftp__ftp-upload-active__input.pcap", {Kind.PORT: 3}),
    ("suricata-verify/ftp__ftp-upload-passive__input.pcap", {Kind.PASV: 3}),
    (
        "suricata-verify/ftp__ftp-too-long-command-first__ftp-too-long-command.pcap",
        {Kind.PASV: 1},
    ),
]


@pytest.mark.parametrize(("name", "counts"), **table([(row[0], *row) for row in SESSIONS]))
def test_every_negotiation_is_found(name: str, counts: dict[Kind, int]) -> None:
    events = negotiated(segments(name))
    assert not [event for event in events if isinstance(event, Unusable)]
    assert Counter(event.kind for event in events) == counts


DIALLED = [row[0] for row in SESSIONS if "firewall" in row[0] or "zeek/ipv" in row[0]]


@pytest.mark.parametrize("name", DIALLED)
def test_every_data_connection_was_negotiated(name: str) -> None:
    captured = segments(name)
    announced = {
        event.endpoint.port for event in negotiated(captured) if isinstance(event, Negotiation)
    }
    dialled = {
        segment.dport
        for segment in captured
        if segment.flags & (SYN | ACK) == SYN and segment.dport != CONTROL_PORT
    }
    assert dialled
    assert dialled <= announced
