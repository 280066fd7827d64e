"""A ladder diagram as SVG: two peers, a firewall between them, time downwards.

Pure text out, by https://www.w3.org/TR/SVG2/. Places across are percentages, so that one
drawing fits a telephone and a desk; places down and texts are pixels, and texts are wrapped
for the narrowest. The drawing takes its colours from `STYLE`, which a page includes once.

    Message   one peer tells the other a line; under NAT, what leaves is another
    Decision  what the firewall makes of the line before
    Transfer  a data connection, from its beginning to its end
    Remark    what stands for lines that are not drawn
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, TypeAlias

from ftpfw.conntrack.model import Direction


@dataclass(frozen=True, slots=True)
class Message:
    """A line; ``onward`` is what leaves the firewall, if not the same.

    ``at``, here and below, is seconds since the drawing's zero. ``telling``: it negotiates.
    """

    at: float
    direction: Direction
    text: str
    telling: bool = False
    onward: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the firewall does about the line before it: something is let in, or nothing."""

    at: float
    granted: bool
    text: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """A connection that one peer opens to the other; ``granted``: the firewall expected it."""

    at: float
    until: float
    direction: Direction
    granted: bool
    text: str


@dataclass(frozen=True, slots=True)
class Remark:
    """A text that nobody sent."""

    at: float
    text: str


Rung: TypeAlias = Message | Decision | Transfer | Remark


@dataclass(frozen=True, slots=True)
class Ladder:
    """A drawing: the names over its three lines, and its rungs in the order of time."""

    left: str
    middle: str
    right: str
    rungs: Sequence[Rung]


LEFT, MIDDLE, RIGHT = 15, 56, 97
"""Where the lines stand, in percent; times are written left of the first."""

WIDEST: Final = 36
"""Columns of a text across the whole ladder, on a telephone."""
HALF: Final = 18
COLUMN: Final = 7.25
"""Pixels of a column of `STYLE`'s 12-pixel text in the widest of usual monospaced fonts."""

LINE: Final = 16
GAP: Final = 10
HEAD: Final = 34

STYLE: Final = """
.ladder { width: 100%; display: block; overflow: visible; font: 12px ui-monospace,
  "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.ladder text { fill: var(--ink); text-anchor: middle; paint-order: stroke;
  stroke: var(--paper); stroke-width: 7px; stroke-linejoin: round; }
.ladder .name { font-weight: 600; }
.ladder .left, .ladder .at { text-anchor: start; }
.ladder .right { text-anchor: end; }
.ladder .at { fill: var(--faint); font-size: 10px; }
.ladder .life, .ladder .wall { stroke: var(--rule); stroke-width: 1.5; }
.ladder .wall { stroke-dasharray: 3 3; }
.ladder .arrow { stroke: var(--faint); stroke-width: 1.2; }
.ladder .tip { fill: var(--faint); }
.ladder .telling text { fill: var(--tell); font-weight: 600; }
.ladder .telling .arrow { stroke: var(--tell); stroke-width: 2; }
.ladder .telling .tip { fill: var(--tell); }
.ladder .boxed text { stroke: none; }
.ladder .granted .box { fill: var(--good-paper); stroke: var(--good); }
.ladder .granted text, .ladder .granted .tip, .ladder .granted.lasting { fill: var(--good); }
.ladder .refused .box { fill: var(--bad-paper); stroke: var(--bad); stroke-dasharray: 5 3; }
.ladder .refused text, .ladder .refused .tip, .ladder .refused.lasting { fill: var(--bad); }
.ladder .lasting { opacity: .35; }
.ladder .remark text { fill: var(--faint); font-style: italic; }
"""


def draw(ladder: Ladder) -> str:
    """The drawing, as an ``svg`` element."""
    tops, bottom = _places(ladder.rungs)
    behind = list(_lasting(ladder.rungs, tops, bottom))
    front: list[str] = []
    shown = ""
    for rung, top in zip(ladder.rungs, tops, strict=True):
        time = format_time(rung.at)
        if time != shown:
            front.append(f'<text class="at" x="0" y="{top + LINE}">{time}</text>')
            shown = time
        front += _rung(rung, top)
    return "\n".join(
        [
            f'<svg class="ladder" height="{bottom}" role="img" xmlns="http://www.w3.org/2000/svg">',
            f"<title>{escape(_summary(ladder))}</title>",
            *_frame(ladder, bottom),
            *behind,
            *front,
            "</svg>",
        ]
    )


def format_time(seconds: float) -> str:
    """A time in no more than seven columns."""
    if seconds < 100:
        return f"{seconds:.3f}"
    if seconds < 10_000:
        return f"{seconds:.1f}"
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}h{rest // 60:02}m"


def wrapped(text: str, columns: int) -> list[str]:
    """Text in lines of so many columns, cut between words where it can be."""
    return [line for part in text.split("\n") for line in _folded(part, columns)]


def _folded(rest: str, columns: int) -> list[str]:
    lines = []
    while columns_of(rest) > columns:
        fits = _fitting(rest, columns)
        cut = rest.rfind(" ", 1, fits + 1)
        cut = cut if cut > fits // 2 else fits
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*lines, rest]


def columns_of(text: str) -> int:
    """How wide a text is; ideographs are two columns."""
    return sum(1 if ord(character) < 0x1100 else 2 for character in text)


def _fitting(text: str, columns: int) -> int:
    """How many characters of a text go into so many columns; one at least."""
    width = 0
    for index, character in enumerate(text):
        width += columns_of(character)
        if width > columns:
            return max(index, 1)
    return len(text)


def _texts(rung: Rung) -> tuple[list[str], list[str]]:
    """A rung's lines, and those that leave the firewall where they differ."""
    if isinstance(rung, Message) and rung.onward is not None:
        return wrapped(rung.text, HALF), wrapped(rung.onward, HALF)
    return wrapped(rung.text, WIDEST), []


def _height(rung: Rung) -> int:
    lines = max(map(len, _texts(rung))) * LINE
    return lines + (12 if isinstance(rung, Transfer | Decision) else 8)


def _places(rungs: Sequence[Rung]) -> tuple[list[int], int]:
    """The top of every rung, and the bottom of the drawing."""
    tops, y = [], HEAD
    for rung in rungs:
        tops.append(y)
        y += _height(rung) + GAP
    return tops, y


def _frame(ladder: Ladder, bottom: int) -> Iterator[str]:
    """The three lines and their names."""
    for x, kind in ((LEFT, "life"), (MIDDLE, "wall"), (RIGHT, "life")):
        yield f'<line class="{kind}" x1="{x}%" x2="{x}%" y1="{HEAD - 8}" y2="{bottom}"/>'
    names = ((0, "left", ladder.left), (MIDDLE, "", ladder.middle), (100, "right", ladder.right))
    for x, side, name in names:
        yield f'<text class="name {side}" x="{x}%" y="{LINE}">{escape(name)}</text>'


def _lasting(rungs: Sequence[Rung], tops: Sequence[int], bottom: int) -> Iterator[str]:
    """Beside the firewall's line, how far down each connection lasts."""
    for index, (rung, top) in enumerate(zip(rungs, tops, strict=True)):
        if not isinstance(rung, Transfer):
            continue
        after = index + 1
        while after < len(rungs) and rungs[after].at <= rung.until:
            after += 1
        start = top + _height(rung)
        height = (tops[after] - GAP if after < len(rungs) else bottom - GAP) - start
        if after > index + 1:
            box = f'<rect class="{_verdict(rung)} lasting" x="-3" width="6" height="{height}"/>'
            yield f'<svg x="{MIDDLE}%" y="{start}" overflow="visible">{box}</svg>'


def _rung(rung: Rung, top: int) -> Iterator[str]:
    match rung:
        case Message():
            return _message(rung, top)
        case Transfer():
            return _transfer(rung, top)
        case Decision():
            return _decision(rung, top)
        case Remark():
            return _remark(rung, top)


def _message(message: Message, top: int) -> Iterator[str]:
    ours, onward = _texts(message)
    forth = message.direction is Direction.ORIGINAL
    start, end = (LEFT, RIGHT) if forth else (RIGHT, LEFT)
    y = top + _height(message) - 2
    yield f'<g class="{"telling" if message.telling else "said"}">'
    if onward:
        yield from _lines(ours, (start + MIDDLE) / 2, y - 6)
        yield from _lines(onward, (MIDDLE + end) / 2, y - 6)
        yield from _arrow(start, MIDDLE, y)
        yield from _arrow(MIDDLE, end, y)
    else:
        yield from _lines(ours, MIDDLE, y - 6)
        yield from _arrow(start, end, y)
    yield "</g>"


def _transfer(transfer: Transfer, top: int) -> Iterator[str]:
    lines, _ = _texts(transfer)
    height = _height(transfer)
    end = RIGHT if transfer.direction is Direction.ORIGINAL else LEFT
    yield f'<g class="boxed transfer {_verdict(transfer)}">'
    size = f'width="{RIGHT - LEFT}%" height="{height}"'
    yield f'<rect class="box" x="{LEFT}%" y="{top}" {size} rx="3"/>'
    yield from _tip(end, top + height // 2, forth=transfer.direction is Direction.ORIGINAL)
    yield from _lines(lines, MIDDLE, top + height - 10)
    yield "</g>"


def _decision(decision: Decision, top: int) -> Iterator[str]:
    lines, _ = _texts(decision)
    width = round(max(map(columns_of, lines)) * COLUMN) + 20
    height = _height(decision)
    yield f'<g class="boxed decision {_verdict(decision)}">'
    box = f'<rect class="box" x="{-width // 2}" width="{width}" height="{height}" rx="11"/>'
    yield f'<svg x="{MIDDLE}%" y="{top}" overflow="visible">{box}</svg>'
    yield from _lines(lines, MIDDLE, top + height - 10)
    yield "</g>"


def _remark(remark: Remark, top: int) -> Iterator[str]:
    yield '<g class="remark">'
    yield from _lines(_texts(remark)[0], MIDDLE, top + _height(remark) - 10)
    yield "</g>"


def _verdict(rung: Transfer | Decision) -> str:
    return "granted" if rung.granted else "refused"


def _lines(lines: Sequence[str], x: float, bottom: int) -> Iterator[str]:
    """Lines of text over each other, the last one's base line at ``bottom``."""
    first = bottom - (len(lines) - 1) * LINE
    for index, line in enumerate(lines):
        yield f'<text x="{x:g}%" y="{first + index * LINE}">{escape(line)}</text>'


def _arrow(start: int, end: int, y: int) -> Iterator[str]:
    yield f'<line class="arrow" x1="{start}%" x2="{end}%" y1="{y}" y2="{y}"/>'
    yield from _tip(end, y, forth=end > start)


def _tip(x: int, y: int, *, forth: bool) -> Iterator[str]:
    """An arrow's head that touches ``x``."""
    back = -9 if forth else 9
    head = f'<path class="tip" d="M0 0 L{back} -4.5 L{back} 4.5 Z"/>'
    yield f'<svg x="{x}%" y="{y}" overflow="visible">{head}</svg>'


def _summary(ladder: Ladder) -> str:
    steps = f"{len(ladder.rungs)} steps"
    return f"{ladder.left} and {ladder.right}, with {ladder.middle} between them: {steps}"
