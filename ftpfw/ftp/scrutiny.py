"""The strict checks that need no more than a line and the session that it is said in.

Each function yields the checks that the line fails. What also takes addresses or the
kernel's expectations to tell is with the inspector.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from ftpfw.ftp.checks import Check
from ftpfw.ftp.hostport import BLANKS
from ftpfw.ftp.lines import Line
from ftpfw.ftp.negotiation import Kind, Negotiation, Unusable, parse_command
from ftpfw.ftp.session import Login, Session
from ftpfw.ftp.verbs import AFTER_LOGIN, IAC, KNOWN, NOT_AFTER_EPSV_ALL, Command

_ANONYMOUS = frozenset({b"anonymous", b"ftp"})
_NUMBERS = re.compile(rb"\d+(?:,\d+)*")
_ANNOUNCES = re.compile(rb"22[79](?:[ -]|\Z)")
_ASKED_BY = {Kind.PASV: "PASV", Kind.EPSV: "EPSV"}


def faults_of_command(
    line: Line,
    command: Command,
    meaning: Negotiation | Unusable | None,
    session: Session,
    *,
    denied: Set[str],
    pending: int,
) -> Iterator[Check]:
    """What is wrong with a line from the client, ahead of ``session.ask``.

    ``denied`` are verbs in upper case, ``pending`` how many commands may wait.
    """
    yield from _faults_of_form(line, command)
    yield from _faults_of_verb(command, denied)
    if isinstance(meaning, Unusable):
        yield from _faults_of_argument(meaning.kind, command.argument.rstrip(BLANKS))
    if session.login is Login.OUT and command.verb in AFTER_LOGIN:
        yield Check.LOGIN_REQUIRED
    if session.epsv_all and command.verb in NOT_AFTER_EPSV_ALL:
        yield Check.EPSV_ALL
    if session.pending >= pending:
        yield Check.TOO_MANY_PENDING


def faults_of_reply(
    line: Line, meaning: Negotiation | Unusable | None, session: Session, *, continues: bool
) -> Iterator[Check]:
    """What is wrong with a line from the server, ahead of ``session.answer``.

    ``continues``: it belongs to a reply of several lines, where help texts name commands. A 227
    that announces nothing, as some servers say goodbye, needs no PASV.
    """
    if not continues and parse_command(line) is not None:
        yield Check.COMMAND_FROM_SERVER
    if isinstance(meaning, Negotiation) and not session.may_answer(_ASKED_BY[meaning.kind]):
        yield Check.UNASKED_REPLY


def _faults_of_form(line: Line, command: Command) -> Iterator[Check]:
    if not line.data.endswith(b"\r\n"):
        yield Check.BARE_LINE_FEED
    if b"\0" in line.data:
        yield Check.NUL
    if IAC in command.verb:
        yield Check.TELNET_IN_VERB


def _faults_of_verb(command: Command, denied: Set[str]) -> Iterator[Check]:
    verb = command.verb
    if _ANNOUNCES.match(verb.encode("latin-1")):
        yield Check.REPLY_FROM_CLIENT
    elif verb not in KNOWN and (verb or command.argument) and IAC not in verb:
        yield Check.UNKNOWN_VERB
    if verb in denied:
        yield Check.DENIED_VERB
    if verb == "USER" and command.argument.strip(BLANKS).lower() not in _ANONYMOUS:
        yield Check.ANONYMOUS_ONLY


def _faults_of_argument(kind: Kind, argument: bytes) -> Iterator[Check]:
    """Whether PORT or EPRT has too few, too many, or something behind the last."""
    if kind is Kind.PORT:
        numbers = _NUMBERS.match(argument)
        if not numbers or numbers[0].count(b",") != 5:
            yield Check.WRONG_COUNT
        elif numbers.end() < len(argument):
            yield Check.TRAILING_BYTES
        return
    # RFC 2428 2: a delimiter before, between and behind three fields.
    fields = argument.split(argument[:1]) if argument else []
    if len(fields) != 5:
        yield Check.WRONG_COUNT
    elif fields[4]:
        yield Check.TRAILING_BYTES
