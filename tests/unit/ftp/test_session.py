"""Sessions as transcripts: `C` is what the client says, `S` the server; replies are whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.ftp import session as session_module
from ftpfw.ftp.session import Login, Session
from ftpfw.ftp.verbs import parse_command_line
from tests.unit.table import table


def play(*lines: str, session: Session | None = None) -> tuple[Session, list[tuple[str, int]]]:
    """The session after these lines, and each command with the code that ended it."""
    session = session or Session()
    ended = []
    for number, line in enumerate(lines):
        said = line[2:].encode()
        if line[0] == "C":
            session.ask(parse_command_line(said), number)
        elif answered := session.answer(int(said[:3]), said):
            ended.append((answered.asked.verb, answered.code))
    return session, ended


LOGIN = ("S 220 Hello", "C USER anna", "S 331 Password?", "C PASS secret", "S 230 In")

ORDER = [
    ("one by one", ["C PWD", "S 257 /", "C NOOP", "S 200"], [("PWD", 257), ("NOOP", 200)]),
    ("sent ahead", ["C CWD a", "C PWD", "S 250", "S 257 /"], [("CWD", 250), ("PWD", 257)]),
    ("1yz ends nothing", ["C RETR a", "S 150 Opening", "S 226"], [("RETR", 226)]),
    ("a greeting answers nobody", ["C USER a", "S 220 Hello", "S 331"], [("USER", 331)]),
    ("nor does a delayed one", ["S 120 Wait", "C USER a", "S 220", "S 331"], [("USER", 331)]),
    ("421 answers nobody", ["C NOOP", "S 421 Time is up"], []),
    ("an answer to nobody", ["S 226 From before", "C NOOP", "S 200"], [("NOOP", 200)]),
    (
        "ABOR: both are answered",
        ["C RETR a", "S 150", "C ABOR", "S 426", "S 226", "C NOOP", "S 200"],
        [("RETR", 426), ("ABOR", 226), ("NOOP", 200)],
    ),
    (
        "ABOR is swallowed: the next PASV is answered all the same",
        ["C RETR a", "S 150", "C ABOR", "S 226", "C PASV", "S 227 Entering", "C NOOP", "S 200"],
        [("RETR", 226), ("PASV", 227), ("NOOP", 200)],
    ),
    (
        "STAT is answered within a transfer",
        ["C RETR a", "S 150", "C STAT", "S 213 Half", "S 226"],
        [("STAT", 213), ("RETR", 226)],
    ),
    ("350 ends RNFR", ["C RNFR a", "S 350", "C RNTO b", "S 250"], [("RNFR", 350), ("RNTO", 250)]),
    (
        "AUTH: a success that it does not know is somebody else's",
        ["C AUTH TLS", "S 200 NOOP", "S 234 Go"],
        [("AUTH", 234)],
    ),
    ("AUTH refused", ["C AUTH TLS", "S 534 No"], [("AUTH", 534)]),
    ("234 without AUTH", ["S 220", "S 234 Go"], []),
]


@pytest.mark.parametrize(("lines", "ended"), **table(ORDER))
def test_replies_end_the_commands_that_they_answer(
    lines: list[str], ended: list[tuple[str, int]]
) -> None:
    assert play(*lines)[1] == ended


LOGINS = [
    ("nothing known", [], Login.UNKNOWN, None),
    ("greeted", ["S 220"], Login.OUT, None),
    ("named", ["S 220", "C USER anna", "S 331"], Login.OUT, "anna"),
    ("in", LOGIN, Login.IN, "anna"),
    ("without a password", ["S 220", "C USER anna", "S 230"], Login.IN, "anna"),
    ("by a certificate", ["S 220", "C USER anna", "S 232"], Login.IN, "anna"),
    ("refused name", ["S 220", "C USER anna", "S 530"], Login.OUT, None),
    ("refused password", ["S 220", "C USER a", "S 331", "C PASS x", "S 530"], Login.OUT, "a"),
    ("account wanted", ["S 220", "C USER a", "S 331", "C PASS x", "S 332"], Login.OUT, "a"),
    ("out again", [*LOGIN, "C REIN", "S 220"], Login.OUT, None),
    ("REIN refused", [*LOGIN, "C REIN", "S 502"], Login.IN, "anna"),
    ("another name", [*LOGIN, "C USER b", "S 331"], Login.OUT, "b"),
    ("another name refused", [*LOGIN, "C USER b", "S 530"], Login.IN, "anna"),
    ("joined late", ["C NOOP", "S 200"], Login.UNKNOWN, None),
    ("joined after USER", ["C PASS x", "S 230"], Login.IN, None),
]


@pytest.mark.parametrize(("lines", "login", "user"), **table(LOGINS))
def test_login(lines: list[str], login: Login, user: str | None) -> None:
    session, _ = play(*lines)
    assert (session.login, session.user) == (login, user)


PROMISES = [
    ("not yet", [*LOGIN, "C EPSV", "S 229"], False),
    ("said", [*LOGIN, "C EPSV ALL"], True),
    ("granted", [*LOGIN, "C epsv all", "S 200"], True),
    ("refused", [*LOGIN, "C EPSV ALL", "S 500"], False),
    ("forgotten with REIN", [*LOGIN, "C EPSV ALL", "S 200", "C REIN", "S 220"], False),
]


@pytest.mark.parametrize(("lines", "promised"), **table(PROMISES))
def test_epsv_all(lines: list[str], promised: bool) -> None:
    assert play(*lines)[0].epsv_all is promised


EXPECTS_227 = [
    ("nothing known yet", [], True),
    ("greeted, nothing asked", ["S 220"], False),
    ("asked", [*LOGIN, "C PASV"], True),
    ("answered", [*LOGIN, "C PASV", "S 227 Entering"], False),
    ("asked for something else", [*LOGIN, "C EPSV"], False),
    ("joined late, first command open", ["C NOOP"], True),
    ("joined late, in step by now", ["C NOOP", "S 200"], False),
]


@pytest.mark.parametrize(("lines", "may_come"), **table(EXPECTS_227))
def test_whether_a_227_was_asked_for(lines: list[str], may_come: bool) -> None:
    assert play(*lines)[0].may_answer("PASV") is may_come


def test_transfers_are_numbered_and_told_with_path_and_size() -> None:
    session, _ = play(*LOGIN)
    first = session.ask(parse_command_line(b"RETR a b.txt"), 0)
    assert (first.number, first.argument) == (1, "a b.txt")
    assert session.transferring
    session.answer(150, b"150 Opening BINARY mode data connection for a b.txt (4096 bytes).")
    answered = session.answer(226, b"226 Transfer complete.")
    assert answered is not None
    assert (answered.asked, answered.code, answered.size) == (first, 226, 4096)


def test_a_refused_transfer_has_no_size() -> None:
    session, _ = play(*LOGIN, "C RETR a", "S 150 Opening (5 bytes)", "S 426 Aborted")
    assert not session.transferring
    assert session.ask(parse_command_line(b"STOR up"), 0).number == 2
    answered = session.answer(550, b"550 No")
    assert answered is not None
    assert answered.refused
    assert answered.size is None


def test_no_password_is_kept() -> None:
    session, _ = play("S 220", "C USER anna", "C PASS s3cret", "C ACCT s3cret", "C SITE s3cret")
    kept = [getattr(session, name) for name in Session.__slots__]
    assert "anna" in repr(kept)
    assert "s3cret" not in repr(kept)


def test_after_missed_lines_nothing_is_held_against_anybody() -> None:
    session, _ = play("S 220", "C USER anna")
    session.lose()
    assert session.login is Login.UNKNOWN
    assert session.pending == 0
    assert session.may_answer("PASV")


def test_commands_sent_ahead_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "MAX_PENDING", 4)
    session, _ = play("S 220", *["C NOOP"] * 100)
    assert session.pending <= 4


said = st.lists(
    st.sampled_from(
        ["C PASV", "C RETR x", "C USER u", "C REIN", "C ABOR", "C STAT", "C AUTH TLS"]
        + [f"S {code}" for code in (120, 150, 200, 220, 226, 227, 230, 234, 331, 421, 530)]
    ),
    max_size=40,
)


@given(said)
def test_no_command_is_answered_twice_and_none_that_was_not_asked(lines: list[str]) -> None:
    session = Session()
    waiting = []
    for number, line in enumerate(lines):
        if line[0] == "C":
            waiting.append(session.ask(parse_command_line(line[2:].encode()), number))
        elif answered := session.answer(int(line[2:]), b""):
            waiting.remove(answered.asked)
        assert session.pending <= len(waiting)
