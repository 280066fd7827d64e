"""Reassembly against a map from stream position to the first byte that came for it.

Whatever comes in whatever order, each byte comes out once, the first copy of it; what is
too far off, or makes too many holes, is refused whole; what is kept is within the bounds.
"""

from __future__ import annotations

from ftpfw.tcp.reassembly import MAX_PIECES, OutOfWindow, Stream
from ftpfw.tcp.serial import add
from tests.fuzz.script import Script


class Model:
    """What a stream must do, byte by byte."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.position = 0
        self.waiting: dict[int, int] = {}

    def refuses(self, ahead: int, length: int) -> bool:
        return ahead < -self.limit or (ahead > 0 and ahead + length > self.limit)

    def feed(self, ahead: int, payload: bytes) -> bytes:
        at = self.position + ahead
        for place, byte in enumerate(payload, at):
            if place >= self.position:
                self.waiting.setdefault(place, byte)
        return self.advance()

    def advance(self) -> bytes:
        out = bytearray()
        while self.position in self.waiting:
            out.append(self.waiting.pop(self.position))
            self.position += 1
        return bytes(out)

    def skip_gap(self) -> bytes:
        self.position = min(self.waiting, default=self.position)
        return self.advance()

    @property
    def pieces(self) -> int:
        return sum(place - 1 not in self.waiting for place in self.waiting)


def fuzz(data: bytes) -> None:
    script = Script(data)
    start_seq = script.number(4)
    limit = (16, 600, 65536)[script.number() % 3]
    stream, model = Stream(start_seq, limit), Model(limit)
    while script.goes_on:
        _step(script, stream, model)
        assert stream.next == add(start_seq, model.position)
        assert stream.gap == bool(model.waiting)


def _step(script: Script, stream: Stream, model: Model) -> None:
    ahead, length = script.signed(2), script.number()
    if not length and stream.gap:
        assert stream.skip_gap() == model.skip_gap()
    elif not length:
        stream.pass_over(abs(ahead))
        model.position += abs(ahead)
    else:
        _feed(ahead, bytes([script.number()]) * length, stream, model)


def _feed(ahead: int, payload: bytes, stream: Stream, model: Model) -> None:
    seq = add(stream.next, ahead)
    try:
        came = stream.feed(seq, payload)
    except OutOfWindow:
        full = model.pieces + 1 > MAX_PIECES
        assert full or model.refuses(ahead, len(payload))
        return
    assert not model.refuses(ahead, len(payload))
    assert came == model.feed(ahead, payload)
