"""What is wrong with a line, check by check; addresses and expectations are the engine's tests."""

from __future__ import annotations

import pytest

from ftpfw.ftp.checks import TABLE, Check
from ftpfw.ftp.lines import Line
from ftpfw.ftp.negotiation import ReplyReader, parse_command
from ftpfw.ftp.scrutiny import faults_of_command, faults_of_reply
from ftpfw.ftp.session import Login, Session
from ftpfw.ftp.verbs import parse_command_line
from tests.unit.table import table


def logged_in() -> Session:
    session = Session()
    session.answer(220, b"220 Hello")
    session.login = Login.IN
    return session


def command_faults(data: bytes, session: Session) -> list[Check]:
    line = Line(0, data)
    command = parse_command_line(line.text)
    faults = faults_of_command(
        line, command, parse_command(line), session, denied={"SITE"}, pending=2
    )
    return list(faults)


COMMANDS = [
    ("PORT", b"PORT 10,0,0,1,4,1\r\n", []),
    ("EPRT", b"EPRT |1|10.0.0.1|1025|\r\n", []),
    ("blanks behind", b"PORT 10,0,0,1,4,1 \t\r\n", []),
    ("Telnet ahead of the verb", b"\xff\xf4\xf2ABOR\r\n", []),
    ("an empty line", b"\r\n", []),
    ("bare line feed", b"NOOP\n", [Check.BARE_LINE_FEED]),
    ("NUL", b"RETR a\0b\r\n", [Check.NUL]),
    ("Telnet inside the verb", b"PO\xff\xf1RT 10,0,0,1,4,1\r\n", [Check.TELNET_IN_VERB]),
    ("five numbers", b"PORT 10,0,0,1,4\r\n", [Check.WRONG_COUNT]),
    ("seven numbers", b"PORT 10,0,0,1,4,1,9\r\n", [Check.WRONG_COUNT]),
    ("no numbers", b"PORT\r\n", [Check.WRONG_COUNT]),
    ("six and a comma", b"PORT 10,0,0,1,4,1,\r\n", [Check.TRAILING_BYTES]),
    ("six and a word", b"PORT 10,0,0,1,4,1 now\r\n", [Check.TRAILING_BYTES]),
    ("two fields", b"EPRT |1|10.0.0.1|\r\n", [Check.WRONG_COUNT]),
    ("four fields", b"EPRT |1|10.0.0.1|1025|9|\r\n", [Check.WRONG_COUNT]),
    ("no fields", b"EPRT\r\n", [Check.WRONG_COUNT]),
    ("three and more", b"EPRT |1|10.0.0.1|1025|x\r\n", [Check.TRAILING_BYTES]),
    ("octet above 255 is none of these", b"PORT 10,0,0,256,4,1\r\n", []),
    ("unknown verb", b"FROB\r\n", [Check.UNKNOWN_VERB]),
    ("a verb glued to its argument", b"PORT10,0,0,1,4,1\r\n", [Check.UNKNOWN_VERB]),
    ("a blank first", b" NOOP\r\n", [Check.UNKNOWN_VERB]),
    ("denied verb", b"site EXEC\r\n", [Check.DENIED_VERB]),
    ("anonymous", b"USER Anonymous\r\n", []),
    ("ftp", b"USER ftp\r\n", []),
    ("somebody", b"USER anna\r\n", [Check.ANONYMOUS_ONLY]),
    ("227", b"227 Entering Passive Mode (10,0,0,1,4,1)\r\n", [Check.REPLY_FROM_CLIENT]),
    ("229 of several lines", b"229-(|||1025|)\r\n", [Check.REPLY_FROM_CLIENT]),
    ("another code is an unknown verb", b"200 OK\r\n", [Check.UNKNOWN_VERB]),
    (
        "several at once",
        b"FROB\0\n",
        [Check.BARE_LINE_FEED, Check.NUL, Check.UNKNOWN_VERB],
    ),
]


@pytest.mark.parametrize(("data", "faults"), **table(COMMANDS))
def test_commands(data: bytes, faults: list[Check]) -> None:
    assert command_faults(data, logged_in()) == faults


NEEDS_LOGIN = ["PORT 1,2,3,4,5,6", "EPRT |1|10.0.0.1|1025|", "PASV", "EPSV", "RETR a", "LIST"]


@pytest.mark.parametrize("line", NEEDS_LOGIN)
def test_a_transfer_needs_a_login(line: str) -> None:
    session = logged_in()
    data = line.encode() + b"\r\n"
    assert command_faults(data, session) == []
    session.login = Login.OUT
    assert command_faults(data, session) == [Check.LOGIN_REQUIRED]
    session.login = Login.UNKNOWN
    assert command_faults(data, session) == [], "a session joined late goes on"


@pytest.mark.parametrize("line", ["USER ftp", "PASS x", "FEAT", "AUTH TLS", "QUIT"])
def test_the_way_to_a_login_needs_none(line: str) -> None:
    session = logged_in()
    session.login = Login.OUT
    assert command_faults(line.encode() + b"\r\n", session) == []


@pytest.mark.parametrize("line", ["PORT 1,2,3,4,5,6", "EPRT |1|10.0.0.1|1025|", "PASV"])
def test_after_epsv_all(line: str) -> None:
    session = logged_in()
    session.ask(parse_command_line(b"EPSV ALL"), 0)
    session.answer(200, b"200 OK")
    assert command_faults(line.encode() + b"\r\n", session) == [Check.EPSV_ALL]
    assert command_faults(b"EPSV\r\n", session) == []


def test_too_many_pending() -> None:
    session = logged_in()
    for _ in range(2):
        assert command_faults(b"NOOP\r\n", session) == []
        session.ask(parse_command_line(b"NOOP"), 0)
    assert command_faults(b"NOOP\r\n", session) == [Check.TOO_MANY_PENDING]
    session.answer(200, b"200 OK")
    assert command_faults(b"NOOP\r\n", session) == []


def reply_faults(*lines: bytes, asked: bytes = b"NOOP") -> list[Check]:
    session, reader = logged_in(), ReplyReader()
    session.ask(parse_command_line(asked), 0)
    faults: list[Check] = []
    for data in lines:
        line, continues = Line(0, data), reader.inside
        faults += faults_of_reply(line, reader.feed(line), session, continues=continues)
    return faults


REPLIES = [
    ("200", [b"200 OK\r\n"], b"NOOP", []),
    ("227 asked for", [b"227 (10,0,0,1,4,1)\r\n"], b"PASV", []),
    ("229 asked for", [b"229 (|||1025|)\r\n"], b"EPSV", []),
    ("227 unasked", [b"227 (10,0,0,1,4,1)\r\n"], b"NOOP", [Check.UNASKED_REPLY]),
    ("229 for a PASV", [b"229 (|||1025|)\r\n"], b"PASV", [Check.UNASKED_REPLY]),
    ("227 that only says goodbye", [b"227 Logout.\r\n"], b"REIN", []),
    ("PORT from the server", [b"PORT 10,0,0,1,4,1\r\n"], b"NOOP", [Check.COMMAND_FROM_SERVER]),
    ("EPRT from the server", [b"eprt ?\r\n"], b"NOOP", [Check.COMMAND_FROM_SERVER]),
    ("a help text", [b"214-Known:\r\n", b"PORT PASV\r\n", b"214 End\r\n"], b"HELP", []),
]


@pytest.mark.parametrize(("lines", "asked", "faults"), **table(REPLIES))
def test_replies(lines: list[bytes], asked: bytes, faults: list[Check]) -> None:
    assert reply_faults(*lines, asked=asked) == faults


def test_every_check_has_a_row() -> None:
    assert set(TABLE) == set(Check)
