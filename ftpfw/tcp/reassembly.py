"""One direction of a TCP stream, put back in order (RFC 9293 3.10.7.4), within bounds.

The first copy of a byte wins: a retransmission with other bytes in it cannot change
what was read. Which copy the receiver keeps is another matter (it may never have got the first):
a stream that remembers tells how a segment reads with the first copies in it (`Stream.as_read`).
Bounded in bytes, in holes and in how far a sequence number may be off, so that a peer cannot
make the firewall keep more.
"""

from __future__ import annotations

from typing import Final

from ftpfw.errors import PeerError
from ftpfw.tcp.serial import add, distance

MAX_PIECES: Final = 256
"""Pieces that may wait behind holes: twice what a window of 64 KiB makes of 536-byte segments."""


class OutOfWindow(PeerError):  # noqa: N818 - the name says what the segment is
    """A segment that is too far from what is expected next, or makes too many holes."""

    def __init__(self, seq: int, expected: int) -> None:
        super().__init__(f"segment at {seq} refused: {expected} comes next")
        self.seq = seq


class Stream:
    """Reads segments in any order; gives each byte once, in order.

    ``start_seq`` is the sequence number of the first byte, ``limit`` how many bytes
    a segment may lie ahead or behind, and so how many are kept. ``remembering``: as many of
    those that were read are kept too.
    """

    __slots__ = ("_limit", "_pieces", "_position", "_said", "_start_seq", "remembering")

    def __init__(self, start_seq: int, limit: int = 65536) -> None:
        self._start_seq = start_seq
        self._limit = limit
        # Positions count from the start and do not wrap.
        self._position = 0
        # Bytes ahead of the position: sorted by start, each with a hole before it.
        self._pieces: list[tuple[int, bytes]] = []
        self.remembering = False
        self._said = b""

    @property
    def next(self) -> int:
        """Sequence number of the next byte in order."""
        return add(self._start_seq, self._position)

    @property
    def gap(self) -> bool:
        """Whether bytes wait behind a hole."""
        return bool(self._pieces)

    def feed(self, seq: int, payload: bytes) -> bytes:
        """Take a segment's payload; return the bytes that are now in order.

        None of them if the segment repeats what was read or lies behind a hole. Raises
        OutOfWindow, and keeps nothing of the segment, where it passes a bound.
        """
        expected = self.next
        ahead = distance(expected, seq)
        if ahead < 0:
            if ahead < -self._limit:
                raise OutOfWindow(seq, expected)
            payload = payload[-ahead:]
            ahead = 0
        elif ahead and ahead + len(payload) > self._limit:
            raise OutOfWindow(seq, expected)
        if not payload:
            return b""
        pieces = self._with(self._position + ahead, payload)
        if len(pieces) > MAX_PIECES:
            raise OutOfWindow(seq, expected)
        self._pieces = pieces
        return self._advance()

    def pass_over(self, length: int) -> None:
        """Count ``length`` bytes that came in order and need no reading; no gap may be open."""
        self._position += length
        self._said = b""

    def as_read(self, seq: int, payload: bytes) -> bytes:
        """A segment's payload with what is known of these bytes already in their place."""
        start = self._position + distance(self.next, seq)
        read = bytearray(payload)
        for at, data in ((self._position - len(self._said), self._said), *self._pieces):
            first, last = max(at, start), min(at + len(data), start + len(payload))
            if first < last:
                read[first - start : last - start] = data[first - at : last - at]
        return bytes(read)

    def skip_gap(self) -> bytes:
        """Give up the first hole; return the bytes that wait behind it."""
        if self._pieces:
            self._position = self._pieces[0][0]
            self._said = b""
        return self._advance()

    def _with(self, start: int, data: bytes) -> list[tuple[int, bytes]]:
        """The pieces with ``data`` in the holes that it covers; what was kept stays."""
        end = start + len(data)
        left = [piece for piece in self._pieces if piece[0] + len(piece[1]) < start]
        right = [piece for piece in self._pieces if piece[0] > end]
        touched = self._pieces[len(left) : len(self._pieces) - len(right)]
        if touched:
            start, data = _overlay(start, data, touched)
        return [*left, (start, data), *right]

    def _advance(self) -> bytes:
        """Move over the first piece if it has no hole before it."""
        if not self._pieces or self._pieces[0][0] != self._position:
            return b""
        _, data = self._pieces.pop(0)
        self._position += len(data)
        self._said = (self._said + data)[-self._limit :] if self.remembering else b""
        return data


def _overlay(start: int, data: bytes, pieces: list[tuple[int, bytes]]) -> tuple[int, bytes]:
    """Join ``data`` with the pieces it touches, which are on top, into one piece."""
    first = min(start, pieces[0][0])
    last = max(start + len(data), pieces[-1][0] + len(pieces[-1][1]))
    joined = bytearray(last - first)
    joined[start - first : start - first + len(data)] = data
    for piece_start, piece in pieces:
        joined[piece_start - first : piece_start - first + len(piece)] = piece
    return first, bytes(joined)
