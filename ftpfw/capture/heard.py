"""A packet of a control connection, as the parts of the story take it up."""

from __future__ import annotations

from dataclasses import dataclass

from ftpfw.conntrack.model import Direction
from ftpfw.tcp.segment import Segment


@dataclass(frozen=True, slots=True)
class Heard:
    """A whole IP packet with its number in the capture and its time; ``segment`` is its view."""

    number: int
    time: float
    direction: Direction
    packet: bytes
    segment: Segment
