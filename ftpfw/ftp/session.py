"""A session as its control connection tells it: who is logged in, what waits for an answer.

Spec: RFC 959 4.2, 5.4 and 6 (replies, the order of commands and replies, state diagrams),
RFC 2228 (AUTH, 232, 234), RFC 2428 4 (EPSV ALL). Replies come in the order of the commands,
which may be sent ahead of them; 1yz announces and ends nothing, and 421 answers nobody. What
breaks the order is known too: STAT is answered in the middle of a transfer, and some servers
swallow ABOR. So a reply with a code of few verbs answers the first of those that waits.

A reader may come late, or have missed bytes. Then it is `Login.UNKNOWN` who is logged in, which
counts as logged in, and until nothing waits any more whatever comes counts as asked for: a
guess must not break a running session. A client that speaks ahead of the server's greeting
looks like that for as long as the greeting takes.

Arguments of PASS and ACCT are never kept, nor any but those that `KEPT` names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ftpfw.ftp.verbs import TRANSFERS, Command, asks_for_tls

KEPT: Final = TRANSFERS | {"USER"}
"""Verbs whose argument is remembered until they are answered."""

MAX_PENDING: Final = 64
"""Commands that may wait; past that the oldest are forgotten. Each can be `MAX_TEXT` long."""

MAX_TEXT: Final = 1024
"""Characters that are kept of an argument."""

_SIZE = re.compile(rb"\((\d{1,19}) bytes\)")

_LOGIN_VERBS = frozenset({"USER", "PASS", "ACCT"})
_OWNERS: Final = {
    211: frozenset({"STAT", "FEAT", "OPTS", "HELP", "SITE"}),
    212: frozenset({"STAT"}),
    213: frozenset({"STAT", "SIZE", "MDTM", "MFMT", "MFCT", "MFF", "AVBL"}),
    225: frozenset({"ABOR"}),
    227: frozenset({"PASV"}),
    229: frozenset({"EPSV"}),
    230: _LOGIN_VERBS,
    232: _LOGIN_VERBS,
    234: frozenset({"AUTH"}),
    331: frozenset({"USER"}),
}
"""Codes that answer few verbs."""

_GREETING = 220
_LEAVING = 421
_LOGGED_IN = frozenset({230, 232})
_NAME_TAKEN = frozenset({230, 232, 331, 332, 336})


class Login(Enum):
    """Whether the client is logged in."""

    UNKNOWN = "unknown"
    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that waits for its last reply.

    ``offset`` is its line's in the client's stream; ``number`` counts the session's
    transfers from 1, and is 0 for other commands; ``epsv_all``, ``tls``: it was EPSV ALL, or an
    AUTH that asks for TLS.
    """

    verb: str
    offset: int
    argument: str = ""
    number: int = 0
    epsv_all: bool = False
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """A command and the code of its last reply; ``size`` is what a 1yz reply said before."""

    asked: Asked
    code: int
    size: int | None = None

    @property
    def refused(self) -> bool:
        """4yz or 5yz."""
        return self.code >= 400


class Session:
    """Follows one control connection; lines of both sides in the order in which they come."""

    __slots__ = (
        "_answered",
        "_in_step",
        "_pending",
        "_promised",
        "_size",
        "_transfers",
        "greeted",
        "login",
        "user",
    )

    def __init__(self, user: str | None = None) -> None:
        self.login = Login.UNKNOWN
        self.user = user
        """Who has been named to the server and not refused at once."""
        self.greeted = False
        """Whether the session was heard from its beginning."""
        self._pending: list[Asked] = []
        self._answered = False
        self._in_step = False
        self._promised = False
        self._transfers = 0
        self._size: int | None = None

    @property
    def pending(self) -> int:
        """How many commands wait for their last reply."""
        return len(self._pending)

    @property
    def transferring(self) -> bool:
        """Whether a transfer waits for its last reply."""
        return any(asked.number for asked in self._pending)

    @property
    def epsv_all(self) -> bool:
        """Whether the client has promised EPSV and nothing else, and was not refused."""
        return self._promised or any(asked.epsv_all for asked in self._pending)

    def awaits(self, verb: str) -> bool:
        """Whether ``verb`` is known to wait for its reply."""
        return any(asked.verb == verb for asked in self._pending)

    def may_answer(self, verb: str) -> bool:
        """Whether a reply to ``verb`` may come; unknown counts as yes."""
        return not self._in_step or self.awaits(verb)

    def ask(self, command: Command, offset: int) -> Asked:
        """Take a command that goes to the server."""
        transfer = command.verb in TRANSFERS
        self._transfers += transfer
        asked = Asked(
            command.verb,
            offset,
            text_of(command.argument) if command.verb in KEPT else "",
            self._transfers if transfer else 0,
            command.verb == "EPSV" and command.argument.strip(b" \t").upper() == b"ALL",
            asks_for_tls(command),
        )
        if len(self._pending) >= MAX_PENDING:
            del self._pending[0]
            self._in_step = False
        self._pending.append(asked)
        return asked

    def answer(self, code: int, text: bytes) -> Answered | None:
        """Take a whole reply, ``text`` its last line; the command that it ends, if it ends one."""
        if code < 200:
            size = _SIZE.search(text)
            if size and self.transferring:
                self._size = int(size[1])
            return None
        if code == _LEAVING or self._greets(code):
            return None
        asked = self._whose(code)
        self._in_step = self._in_step or not self._pending
        self._follow(asked, code)
        if asked is None:
            return None
        size_told = None
        if asked.number:
            size_told, self._size = self._size, None
        return Answered(asked, code, size_told)

    def lose(self) -> None:
        """Lines were missed: nothing is known of what waits, nor of a login since."""
        self._pending.clear()
        self._in_step = False
        if self.login is Login.OUT:
            self.login = Login.UNKNOWN

    def _greets(self, code: int) -> bool:
        """Whether this is the server's first reply and its greeting, which no command asked for."""
        first, self._answered = not self._answered, True
        if first and code == _GREETING:
            self.login = Login.OUT
            self.greeted = self._in_step = True
            return True
        return False

    def _whose(self, code: int) -> Asked | None:
        """Take the command that a reply ends off the list; None if nobody asked."""
        owners = _OWNERS.get(code, frozenset())
        for index, asked in enumerate(self._pending):
            if asked.verb in owners:
                # What is passed over was swallowed, unless it is still under way.
                running = [one for one in self._pending[:index] if one.number]
                self._pending[: index + 1] = running
                return asked
        if not self._pending or _is_no_answer(self._pending[0], code):
            return None
        return self._pending.pop(0)

    def _follow(self, asked: Asked | None, code: int) -> None:
        """What a reply says of login and promises."""
        if code in _LOGGED_IN:
            self.login = Login.IN
        if asked is None:
            return
        if asked.verb == "USER" and code in _NAME_TAKEN:
            self.user = asked.argument
        if asked.verb in _LOGIN_VERBS and 300 <= code < 400:
            self.login = Login.OUT
        elif asked.verb == "REIN" and code < 300:
            self.login, self.user, self._promised = Login.OUT, None, False
        elif asked.epsv_all and code < 300:
            self._promised = True


def _is_no_answer(asked: Asked, code: int) -> bool:
    """A success that AUTH does not know belongs to a command from before we listened."""
    return asked.verb == "AUTH" and code < 300


def text_of(argument: bytes) -> str:
    """An argument as text that can be read back, and of bounded length."""
    return argument.decode("utf-8", "backslashreplace")[:MAX_TEXT]
