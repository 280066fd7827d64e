"""One ladder of two captures: what a gateway was told, what it passed on, what it expected.

The lines of the two sides are put together in their order, each way by itself: a helper changes
lines, and may hold them back, but says nothing of its own.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ftpfw.capture.dialogue import Said
from ftpfw.capture.ladder import HALF, Decision, Ladder, Message, Rung, Transfer
from ftpfw.capture.report import Control, Data, Report
from ftpfw.capture.rungs import carried
from ftpfw.conntrack.model import Direction

TELLING = {
    Direction.ORIGINAL: re.compile(r"PORT |EPRT |PASV|EPSV", re.IGNORECASE),
    Direction.REPLY: re.compile(r"227 |229 "),
}
"""What negotiates; a server's list of what it can (FEAT) names commands too."""
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
        spoken = list(_spoken(control, other, both=both))
        rungs: list[Rung] = [*spoken, *_decisions(spoken, heard.expected)]
        rungs += _transfers(heard, index, other)
        rungs.sort(key=lambda rung: rung.at)
        names = ("client", middle if both else "", "server")
        found.append(Ladder(*names, [_from(rung, control.began) for rung in rungs]))
    return found


def _from(rung: Rung, zero: float) -> Rung:
    """A rung with its times counted from the ladder's own zero."""
    if isinstance(rung, Transfer):
        return replace(rung, at=rung.at - zero, until=rung.until - zero)
    return replace(rung, at=rung.at - zero)


def _spoken(control: Control, other: Control | None, *, both: bool) -> Iterator[Message]:
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
            telling = TELLING[direction].match(text) is not None
            if there == text:
                yield Message(one.time, direction, text, telling)
            else:
                yield Message(one.time, direction, _in_two(text), telling, _in_two(there))


def _said(control: Control | None) -> list[Said]:
    if control is None or control.dialogue is None:
        return []
    return [one for one in control.dialogue.entries if isinstance(one, Said)]


def _close(text: str) -> str:
    return " ".join(text.split())


def _in_two(text: str) -> str:
    """An argument under its verb, a long one in two: half a ladder is not wide."""
    verb, _, argument = text.partition(" ")
    if verb.upper() in {"PORT", "EPRT"}:
        text = f"{verb}\n{argument}"
    return re.sub(r"((?:\d+,){4})(\d+,\d+\S*)", _broken, text)


def _broken(found: re.Match[str]) -> str:
    whole = found[0]
    return whole if len(whole) < HALF else f"{found[1]}\n{found[2]}"


def _decisions(spoken: Sequence[Message], expected: Sequence[Expected]) -> Iterator[Decision]:
    """What the kernel took up, right below the line that announced it, or that it took up nothing.

    Events of the kernel are read a little later than lines, so they are put to the line that
    names their port.
    """
    for one in spoken:
        ports = {_port(text) for text in (one.text, one.onward or "")} - {None}
        if not ports or not one.telling:
            continue
        fits = [each for each in expected if each.port in ports and abs(each.time - one.at) < NEAR]
        if fits:
            yield Decision(one.at, True, fits[0].text)
        else:
            yield Decision(one.at, False, "nobody expects a connection")


_EXTENDED = re.compile(r"(.)(\d+)\1\)?\.?$")


def _port(text: str) -> int | None:
    """The port that a line announces."""
    if found := re.search(r"\d+,\d+,\d+,\d+,(\d+),(\d+)", text):
        return int(found[1]) << 8 | int(found[2])
    found = _EXTENDED.search(text) if text.upper().startswith(("EPRT", "229")) else None
    return int(found[2]) if found else None


def _transfers(heard: Heard, index: int, other: Control | None) -> Iterator[Transfer]:
    """Data connections of a control connection, by the side that sees them begin."""
    control = heard.near.controls[index]
    near = _between(heard.near, index)
    far = _between(heard.far, index) if heard.far is not None and other is not None else []
    for one in near:
        there = next((each for each in far if _same(one, each)), None)
        if there is not None:
            far.remove(there)
        yield _transfer(one, there, _dialled(one, control), alone=heard.far is None)
    for one in far:
        assert other is not None
        yield _transfer(one, None, _dialled(one, other), alone=False)


def _between(report: Report, index: int) -> list[Data]:
    """Data connections from a control connection's beginning to the next one's."""
    controls = report.controls
    until = controls[index + 1].began if index + 1 < len(controls) else float("inf")
    hosts, began = controls[index].hosts, controls[index].began
    return [one for one in report.data if one.hosts == hosts and began <= one.began < until]


def _same(near: Data, far: Data) -> bool:
    """Whether two sides see one connection: NAT leaves one of its ends as it is."""
    return near.source == far.source or near.destination == far.destination


NEAR = 1.0
"""Seconds that an event may be away from the line that it belongs to."""


def _dialled(data: Data, control: Control) -> Direction:
    """Which way a data connection was opened."""
    by_client = data.original.src == control.original.src
    return Direction.ORIGINAL if by_client else Direction.REPLY


def _transfer(data: Data, there: Data | None, direction: Direction, *, alone: bool) -> Transfer:
    names = ("client", "server") if direction is Direction.ORIGINAL else ("server", "client")
    crossed = there is not None or alone
    lines = [f"{data.source} → {data.destination}"]
    if there is not None and (there.source, there.destination) != (data.source, data.destination):
        lines.append(f"beyond: {there.source} → {there.destination}")
    lines.append(carried(data, *names) if crossed else "SYN, which nobody lets through")
    whole = crossed and any(data.carried)
    return Transfer(data.began, data.ended, direction, whole, "\n".join(lines))
