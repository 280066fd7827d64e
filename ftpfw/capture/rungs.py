"""From the report of a control connection to its ladder."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Final

from ftpfw.capture.dialogue import Dialogue, Entry, Said, printable
from ftpfw.capture.ladder import Decision, Ladder, Message, Remark, Rung, Transfer
from ftpfw.capture.report import Control, Data, Mode, Negotiated, Report
from ftpfw.conntrack.model import Direction, format_endpoint

Placed = tuple[int, Rung]
"""A rung and the number of the packet that it belongs to."""

SHOWN: Final = 3
"""Lines of a reply that are drawn, of a longer one the first and the last."""

UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def data_of(report: Report) -> dict[int, list[Data]]:
    """The data connections by the number of their control connection.

    One that nobody announced counts to the latest control connection between its hosts.
    """
    found: dict[int, list[Data]] = defaultdict(list)
    latest: dict[frozenset[bytes], int] = {}
    controls = deque(report.controls)
    for data in report.data:
        while controls and controls[0].number < data.number:
            control = controls.popleft()
            latest[control.hosts] = control.number
        owner = data.control if data.control is not None else latest.get(data.hosts)
        if owner is not None:
            found[owner].append(data)
    return found


def ladder_of(control: Control, dialogue: Dialogue, data: Sequence[Data], zero: float) -> Ladder:
    """The drawing of a control connection and its data connections; ``zero`` is its time 0."""
    placed = list(_spoken(control, dialogue, zero))
    placed += [(one.number, _transfer(one, control, zero)) for one in data]
    placed.sort(key=lambda one: one[0])
    if dialogue.left_out:
        last = dialogue.entries[-1]
        placed = [one for one in placed if one[0] <= last.number]
        more = Remark(last.time - zero, f"{dialogue.left_out} more lines are not drawn")
        placed.append((last.number, more))
    return Ladder("client", "firewall", "server", [rung for _, rung in placed])


def _spoken(control: Control, dialogue: Dialogue, zero: float) -> Iterator[Placed]:
    """The lines; behind each that negotiates, what became of it."""
    decided: dict[int, list[Negotiated]] = defaultdict(list)
    for one in control.negotiations:
        decided[one.number].append(one)
    for reply in _replies(dialogue.entries):
        told = [_told(one, decided) for one in reply]
        if len(reply) > 1 and not any(told):
            yield reply[0].number, _folded(reply, zero)
            continue
        for entry, found in zip(reply, told, strict=True):
            yield entry.number, _shown(entry, zero, telling=found is not None)
            if found is not None:
                yield entry.number, _decision(found, zero)
    for left in decided.values():  # of lines that the dialogue shows otherwise, or not at all
        for one in left:
            yield one.number, _message(one, zero)
            yield one.number, _decision(one, zero)


def _replies(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The entries, those of one reply of several lines together (RFC 959 4.2)."""
    reply: list[Entry] = []
    for entry in entries:
        from_server = isinstance(entry, Said) and entry.direction is Direction.REPLY
        if reply and not from_server:
            yield reply
            reply = []
        reply.append(entry)
        code = reply[0].text[:4]
        if not (from_server and code[3:] == "-") or (
            len(reply) > 1 and entry.text.startswith(f"{code[:3]} ")
        ):
            yield reply
            reply = []
    if reply:
        yield reply


def _told(entry: Entry, decided: dict[int, list[Negotiated]]) -> Negotiated | None:
    """The negotiation that a line is, taken off those of its packet."""
    here = decided.get(entry.number, [])
    told = next((one for one in here if printable(one.line) == entry.text), None)
    if told is not None:
        here.remove(told)
    return told


def _folded(reply: Sequence[Entry], zero: float) -> Message:
    """A long reply by its first and last line."""
    texts = [one.text for one in reply]
    if len(texts) > SHOWN:
        texts = [texts[0], f"⋯ {len(texts) - 2} lines ⋯", texts[-1]]
    text = "\n".join(_close(text) for text in texts)
    return Message(reply[-1].time - zero, Direction.REPLY, text)


def _shown(entry: Entry, zero: float, *, telling: bool) -> Rung:
    if isinstance(entry, Said):
        return Message(entry.time - zero, entry.direction, _close(entry.text), telling)
    return Remark(entry.time - zero, entry.text)


def _close(text: str) -> str:
    """Text without the runs of blanks that a drawing cannot show."""
    return " ".join(text.split())


def _message(one: Negotiated, zero: float) -> Message:
    direction = Direction.ORIGINAL if one.mode is Mode.ACTIVE else Direction.REPLY
    return Message(one.time - zero, direction, printable(one.line), telling=True)


def _decision(one: Negotiated, zero: float) -> Decision:
    return Decision(one.time - zero, one.accepted, _outcome(one))


def _outcome(one: Negotiated) -> str:
    """What a negotiation opens, or why nothing."""
    if one.reason is not None:
        return f"✗ opens nothing: {one.reason}"
    ends = "server → client" if one.mode is Mode.ACTIVE else "client → server"
    return f"✓ opens {ends}:{one.port}"


def endpoint_pair(one: Negotiated) -> str:
    """Who may connect where."""
    if one.destination is None or one.port is None:
        return "–"
    source = format_endpoint(one.source, 0).removesuffix(":0")
    return f"{source} → {format_endpoint(one.destination, one.port)}"


def _transfer(data: Data, control: Control, zero: float) -> Transfer:
    direction = _dialled(data, control)
    names = ("client", "server") if direction is Direction.ORIGINAL else ("server", "client")
    ports = (data.original.sport, data.original.dport)
    ends = [f"{name}:{port}" for name, port in zip(names, ports, strict=True)]
    verdict = "" if data.expected else "NOT EXPECTED: "
    text = f"data {ends[0]} → {ends[1]}\n{verdict}{carried(data, *names)}"
    return Transfer(data.began - zero, data.ended - zero, direction, data.expected, text)


def _dialled(data: Data, control: Control) -> Direction:
    """Which way a data connection was opened, as seen from its control connection."""
    if data.original.src != data.original.dst:
        from_client = data.original.src == control.original.src
    else:
        modes = {one.line: one.mode for one in control.negotiations}
        from_client = data.line is None or modes.get(data.line) is not Mode.ACTIVE
    return Direction.ORIGINAL if from_client else Direction.REPLY


def carried(data: Data, source: str, destination: str) -> str:
    """How much went which way, and how long it took."""
    forth, back = data.carried
    ways = [(forth, destination), (back, source)]
    amounts = [f"{size(count)} to {name}" for count, name in ways if count]
    return f"{', '.join(amounts) or 'nothing'} in {span(data.ended - data.began)}"


def size(count: int) -> str:
    """A number of bytes in three or four digits."""
    amount, unit = float(count), 0
    while amount >= 1000 and unit < len(UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{count} B" if unit == 0 else f"{amount:.3g} {UNITS[unit]}"


def span(seconds: float) -> str:
    """A time that something took, in the unit that suits it."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
