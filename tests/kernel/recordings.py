"""Control conversations out of captures of real sessions, moved to other addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import accumulate, groupby
from pathlib import Path

from scapy.utils import RawPcapReader

from ftpfw.tcp.segment import Segment, SegmentError, parse_segment

from .conversations import Address, Conversation, Ends, Exchange, Line, Side

CONTROL = 21
ETHERNET_HEADER = 14


def recorded(capture: Path, ends: Ends) -> list[Conversation]:
    """The conversations of a capture, if it is of the family of ``ends``, as if held there."""
    connections: defaultdict[tuple[bytes, int], list[Segment]] = defaultdict(list)
    for segment in _segments(capture):
        if segment.dport == CONTROL:
            connections[segment.src, segment.sport].append(segment)
        elif segment.sport == CONTROL:
            connections[segment.dst, segment.dport].append(segment)
    own = [ends.client.own, ends.server.own]
    return [
        tuple(_exchanges(connection, own))
        for (client, _), connection in connections.items()
        if len(client) == len(own[0].packed)
    ]


def _segments(capture: Path) -> Iterator[Segment]:
    """The TCP segments with a payload, each once."""
    seen = set()
    with RawPcapReader(str(capture)) as frames:
        for frame, _ in frames:
            try:
                segment = parse_segment(frame[ETHERNET_HEADER:])
            except SegmentError:
                continue
            key = (segment.src, segment.sport, segment.dport, segment.seq)
            if segment.payload and key not in seen:
                seen.add(key)
                yield segment


def _exchanges(connection: list[Segment], own: list[Address]) -> Iterator[Exchange]:
    """What each side said in its turn; a last word without its line end is left out."""
    for side, said in groupby(connection, _side):
        pieces = [_moved(segment, side, own) for segment in said]
        text = b"".join(pieces)
        if not text.endswith(b"\n"):
            return
        yield Exchange(side, (Line(text, None),), tuple(accumulate(map(len, pieces[:-1]))))


def _side(segment: Segment) -> Side:
    return Side.CLIENT if segment.dport == CONTROL else Side.SERVER


def _moved(segment: Segment, side: Side, own: list[Address]) -> bytes:
    """The payload, with both ends' addresses replaced wherever it names them."""
    ends = (segment.src, segment.dst) if side is Side.CLIENT else (segment.dst, segment.src)
    text = segment.payload
    for old, new in zip(map(ip_address, ends), own, strict=True):
        for form in (_dotted, _commas):
            text = text.replace(form(old), form(new))
    return text


def _dotted(address: Address) -> bytes:
    return str(address).encode()


def _commas(address: Address) -> bytes:
    return b",".join(b"%d" % octet for octet in address.packed)
