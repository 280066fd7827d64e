"""Captures: any frames give a report and a page, or a CaptureError where a link type is unknown.

The report is JSON. Nothing that peers say becomes markup or a terminal's command, and no
password is shown, however its line was cut, repeated or lost in part.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from ftpfw.capture.linklayer import LINK_TYPES, CaptureError
from ftpfw.capture.page import page
from ftpfw.capture.report import Report
from ftpfw.capture.story import Story
from ftpfw.conntrack.model import Direction, Tuple
from ftpfw.tcp.segment import ACK, FIN, PSH, SYN
from ftpfw.tcp.serial import add
from tests.fuzz.gateway import PATHS
from tests.fuzz.packets import build
from tests.fuzz.script import Script
from tests.fuzz.targets.conversation import ISN, SAYINGS, Side

ETHERNET, SLL, SLL2, NULL, RAW = 1, 113, 276, 0, 101
UNKNOWN = 147

SECRET = b"s3cr3t"
MARKUP = b"STOR <script>\x1b[31m&\"'\r\n"
SPOKEN = (b"PASS " + SECRET + b"\r\n", b"pass  " + SECRET + b"\n", b"\xff\xf4\xf2PASS s3cr3t\r\n")

ROUTED = PATHS[:2]


class Recording:
    """Frames of a control connection, and of data connections beside it."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.home = script.pick(ROUTED)
        self.story = Story(frozenset({script.pick((21, 2121))}), lines=40)
        self.time = 0.0
        self.sides = {direction: Side(direction, self.home) for direction in Direction}
        self.sides[Direction.REPLY].stream = b"220 hi\r\n"
        for number in range(script.number() % 16):
            self._say(number)

    def _say(self, number: int) -> None:
        side = self.sides[self.script.pick(tuple(Direction))]
        match self.script.number() % 4:
            case 0 if side.direction is Direction.ORIGINAL:
                side.stream += self.script.pick(SPOKEN)
            case 1:
                side.stream += MARKUP
            case _:
                self.script.pick(SAYINGS)(side, self.script, 50000 + number)

    def step(self) -> None:
        self.time += self.script.number() / 16
        self.script.pick(STEPS)(self)

    def segment(self) -> None:
        side = self.sides[self.script.pick(tuple(Direction))]
        start = max(side.at + self.script.pick((0, 0, 0, 0, -7, 3, 40)), 0)
        payload = side.stream[start : start + 1 + self.script.number() % 80]
        flags = self.script.pick((PSH | ACK, PSH | ACK, PSH | ACK, FIN | ACK))
        side.at = max(side.at, start + len(payload))
        other = self.sides[side.direction.other]
        seq, ack = add(ISN, start), add(ISN, other.at)
        self._frame(build(self.home.tuple(side.direction), seq, ack, flags, payload))

    def opening(self) -> None:
        self._frame(build(self.home.original, add(ISN, -1), 0, SYN, b""))

    def answer(self) -> None:
        self._frame(build(self.home.reply, add(ISN, -1), ISN, SYN | ACK, b""))

    def data(self) -> None:
        port = 50000 + self.script.number() % 20
        passive = replace(self.home.original, sport=44444, dport=port)
        active = Tuple(passive.dst, 20, passive.src, port)
        way = self.script.pick((passive, active))
        self._frame(build(way, 1, 1, self.script.pick((SYN, SYN | ACK, ACK, FIN)), b"data"))

    def anything(self) -> None:
        self.story.feed(self.time, self.script.pick((*LINK_TYPES, UNKNOWN)), self.script.text())

    def _frame(self, packet: bytes) -> None:
        link_type = self.script.pick((ETHERNET, SLL, SLL2, NULL, RAW))
        kind = b"\x08\0" if packet[0] >> 4 == 4 else b"\x86\xdd"
        family = b"\2\0\0\0" if packet[0] >> 4 == 4 else b"\x0a\0\0\0"
        head = {
            ETHERNET: bytes(12) + kind,
            SLL: bytes(14) + kind,
            SLL2: kind + bytes(18),
            NULL: family,
            RAW: b"",
        }[link_type]
        frame = head + packet
        cut = self.script.number()  # as a capture with a snapshot length does
        self.story.feed(self.time, link_type, frame[: len(frame) - cut * (cut < 50)])


STEPS: tuple[Callable[[Recording], None], ...] = (
    Recording.segment,
    Recording.segment,
    Recording.segment,
    Recording.segment,
    Recording.opening,
    Recording.answer,
    Recording.data,
    Recording.anything,
)


def fuzz(data: bytes) -> None:
    script = Script(data)
    recording = Recording(script)
    with suppress(CaptureError):
        while script.goes_on:
            recording.step()
    _require_safe(recording.story.report())


def _require_safe(report: Report) -> None:
    drawn = "".join(page(report, "<script>.pcap", "1970"))
    for text in (drawn, json.dumps(report.as_json())):
        assert SECRET.decode() not in text, "a password is shown"
        assert "\x1b" not in text
    assert "<script" not in drawn
