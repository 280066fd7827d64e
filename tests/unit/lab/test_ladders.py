"""Ladders from what two captures tell: which lines stand out, and what is written below them."""

from __future__ import annotations

from ipaddress import ip_address

from ftpfw.capture.dialogue import Dialogue, Said
from ftpfw.capture.ladder import Decision, Message
from ftpfw.capture.report import Control, Counts, Report
from ftpfw.conntrack.model import Direction, Tuple
from ftpfw.lab.report.ladders import LOST, Expected, Heard, ladders

THERE, BACK = Direction.ORIGINAL, Direction.REPLY
CLIENT, GATEWAY, SERVER = (
    ip_address(address).packed for address in ("10.77.1.10", "192.0.2.1", "192.0.2.10")
)


def side(source: bytes, *lines: tuple[Direction, str]) -> Report:
    """One capture of one control connection; a line each tenth of a second."""
    dialogue = Dialogue(100, None)
    dialogue.entries = [
        Said(number, number / 10, direction, text) for number, (direction, text) in enumerate(lines)
    ]
    control = Control(0, Tuple(source, 40000, SERVER, 21), 0.0, (), None, dialogue)
    return Report((control,), (), Counts(len(lines), {}, 0, 0))


def drawn(near: Report, far: Report | None, *expected: Expected) -> list[Message | Decision]:
    (ladder,) = ladders(Heard(near, far, expected), "gateway")
    return [rung for rung in ladder.rungs if isinstance(rung, Message | Decision)]


def test_a_rewritten_line_is_there_twice_with_its_expectation() -> None:
    near = side(CLIENT, (THERE, "PORT 10,77,1,10,156,65"), (BACK, "200 ok"))
    far = side(GATEWAY, (THERE, "PORT 192,0,2,1,156,65"), (BACK, "200 ok"))
    expected = Expected(0.05, "192.0.2.10", "192.0.2.1", 40001)
    port, decision, reply = drawn(near, far, expected)
    assert isinstance(port, Message)
    assert (port.text, port.onward, port.telling) == (
        "PORT\n10,77,1,10,156,65",
        "PORT\n192,0,2,1,156,65",
        True,
    )
    assert isinstance(decision, Decision)
    assert decision.granted
    assert "192.0.2.1:40001" in decision.text
    assert isinstance(reply, Message)
    assert (reply.text, reply.onward, reply.telling) == ("200 ok", None, False)


def test_what_is_not_passed_on_says_so() -> None:
    near = side(CLIENT, (THERE, "PORT 10,77,1,10,156,65"))
    (port, decision) = drawn(near, side(GATEWAY))
    assert isinstance(port, Message)
    assert port.onward == LOST
    assert isinstance(decision, Decision)
    assert not decision.granted


def test_a_list_of_commands_negotiates_nothing() -> None:
    lines = [(BACK, "211-Features:"), (BACK, " EPSV"), (BACK, " PASV"), (BACK, "211 End")]
    assert not any(
        rung.telling for rung in drawn(side(CLIENT, *lines), None) if isinstance(rung, Message)
    )
    (passive,) = drawn(side(CLIENT, (BACK, "229 go (|||40001|)")), None)[:1]
    assert isinstance(passive, Message)
    assert passive.telling
