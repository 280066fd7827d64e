"""One ladder of two captures: what a gateway was told, what it passed on, what it expected.

The lines of the two sides are put together in their order, each way by itself: a helper changes
lines, and may hold them back, but says nothing of its own.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ftpfw.capture.dialogue import Said
from ftpfw.capture.ladder import Decision, Ladder, Message, Rung, Transfer
from ftpfw.capture.report import Control, Data, Report
from ftpfw.capture.rungs import carried
from ftpfw.conntrack.model import Direction

TELLING = re.compile(r"PORT |EPRT |PASV|EPSV|227 |229 ", re.IGNORECASE)
LOST = "✗ not passed on"


@dataclass(frozen=True, slots=True)
class Expected:
    """An expectation that the kernel took up. ``time`` is in seconds since 1970."""

    time: float
    source: str
    destination: str
    port: int

    @property
    def text(self) -> str:
        """What it allows."""
        return f"✓ conntrack expects\n{self.source} → {self.destination}:{self.port}"


@dataclass(frozen=True, slots=True)
class Heard:
    """What two captures tell; ``far`` is None where nothing stands in between."""

    near: Report
    far: Report | None
    expected: Sequence[Expected]


def ladders(heard: Heard, middle: str) -> list[Ladder]:
    """A ladder for each control connection of the client's side."""
    far = list(heard.far.controls) if heard.far is not None else []
    found = []
    for index, control in enumerate(heard.near.controls):
        other = far[index] if index < len(far) else None
        both = heard.far is not None
        began = control.began
        rungs: list[Rung] = [*_spoken(control, other, began, both=both)]
        rungs += [Decision(one.time - began, True, one.text) for one in _of(heard, index)]
        rungs += _transfers(heard, control, other, began)
        rungs.sort(key=lambda rung: rung.at)
        names = ("client", middle if both else "", "server")
        found.append(Ladder(*names, list(_with_silence(rungs))))
    return found


def _of(heard: Heard, index: int) -> Iterator[Expected]:
    """The expectations between the beginnings of a control connection and of the next."""
    controls = heard.near.controls
    until = controls[index + 1].began if index + 1 < len(controls) else float("inf")
    for one in heard.expected:
        if controls[index].began <= one.time < until:
            yield one


def _spoken(
    control: Control, other: Control | None, zero: float, *, both: bool
) -> Iterator[Message]:
    """Lines, each with what became of it on the other side."""
    near, far = _said(control), _said(other)
    for direction in Direction:
        origin, onward = (near, far) if direction is Direction.ORIGINAL else (far, near)
        if not both:
            origin, onward = near, near
        passed = deque(one for one in onward if one.direction is direction)
        for one in origin:
            if one.direction is not direction:
                continue
            came = passed.popleft() if passed else None
            text = _close(one.text)
            there = LOST if came is None else _close(came.text)
            telling = TELLING.match(text) is not None
            changed = there if there != text else None
            yield Message(one.time - zero, direction, text, telling, changed)


def _said(control: Control | None) -> list[Said]:
    if control is None or control.dialogue is None:
        return []
    return [one for one in control.dialogue.entries if isinstance(one, Said)]


def _close(text: str) -> str:
    return " ".join(text.split())


def _transfers(
    heard: Heard, control: Control, other: Control | None, zero: float
) -> Iterator[Transfer]:
    """Data connections, by the side that sees them begin, with what the other side sees."""
    near = [one for one in heard.near.data if one.hosts == control.hosts]
    far = []
    if heard.far is not None and other is not None:
        far = [one for one in heard.far.data if one.hosts == other.hosts]
    seen = deque(far)
    for one in near:
        if one.began < control.began:
            continue
        direction = _dialled(one, control)
        there = next((each for each in seen if abs(each.began - one.began) < NEAR), None)
        if there is not None:
            seen.remove(there)
        yield _transfer(one, there, direction, zero, heard.far is not None)
    for one in seen:
        if other is not None and one.began >= other.began:
            yield _transfer(one, None, _dialled(one, other), zero, True)


NEAR = 0.5
"""Seconds between two sides' first packet of the same connection, at most."""


def _dialled(data: Data, control: Control) -> Direction:
    """Which way a data connection was opened."""
    by_client = data.original.src == control.original.src
    return Direction.ORIGINAL if by_client else Direction.REPLY


def _transfer(
    data: Data, there: Data | None, direction: Direction, zero: float, both: bool
) -> Transfer:
    names = ("client", "server") if direction is Direction.ORIGINAL else ("server", "client")
    crossed = there is not None or not both
    lines = [f"{data.source} → {data.destination}"]
    if there is not None and (there.source, there.destination) != (data.source, data.destination):
        lines.append(f"beyond: {there.source} → {there.destination}")
    lines.append(carried(data, *names) if crossed else "SYN, which nobody lets through")
    whole = crossed and any(data.carried)
    return Transfer(data.began - zero, data.ended - zero, direction, whole, "\n".join(lines))


def _with_silence(rungs: Sequence[Rung]) -> Iterator[Rung]:
    """A note behind each announcement of an address that no expectation follows."""
    for index, rung in enumerate(rungs):
        yield rung
        announces = isinstance(rung, Message) and re.match(
            r"PORT |EPRT |227 .*\d|229 ", rung.text, re.IGNORECASE
        )
        if not announces:
            continue
        rest = rungs[index + 1 : index + 4]
        before = rungs[max(0, index - 1) : index]
        if not any(isinstance(one, Decision) for one in (*before, *rest)):
            yield Decision(rung.at, False, "nobody expects a connection")
