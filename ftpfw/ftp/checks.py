"""The strict checks: what a control connection may be held to beyond what opens a port.

Each check has a name, an action and one row in `TABLE`, which is the documentation too:
``ftpfw helper --checks`` prints it. ``compat`` has all of them off and does what
nf_conntrack_ftp does, safely: what a check is about then passes unchanged and opens
nothing that the rules would not. ``strict`` takes each row's own action.

    off     nothing
    log     counted and logged; the line goes on as in compat
    drop    the line does not leave; its sender repeats it in vain until TCP gives up
    reset   the control connection ends: both sides get an RST

A line that a check drops or resets opens nothing, and what follows it in the stream shares its
fate. On a connection whose address is not translated segments are never held, so of a line
that comes in several what came before its last may have left already: the line stays without
its end. ``reset`` also withdraws what the connection has opened last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias


class Action(StrEnum):
    """What a check does about what it finds, the mildest first."""

    OFF = "off"
    LOG = "log"
    DROP = "drop"
    RESET = "reset"


class Check(StrEnum):
    """The names, as policies and reports have them."""

    FOREIGN_ADDRESS = "foreign-address"
    PRIVILEGED_PORT = "privileged-port"
    COMMAND_FROM_SERVER = "command-from-server"
    REPLY_FROM_CLIENT = "reply-from-client"
    UNASKED_REPLY = "unasked-reply"
    PORT_REFUSED = "port-refused"
    TOO_MANY_PENDING = "too-many-pending"
    TRAILING_BYTES = "trailing-bytes"
    WRONG_COUNT = "wrong-count"
    BARE_LINE_FEED = "bare-line-feed"
    LINE_TOO_LONG = "line-too-long"
    NUL = "nul"
    TELNET_IN_VERB = "telnet-in-verb"
    UNKNOWN_VERB = "unknown-verb"
    DENIED_VERB = "denied-verb"
    LOGIN_REQUIRED = "login-required"
    ANONYMOUS_ONLY = "anonymous-only"
    REPLY_TOO_LONG = "reply-too-long"
    TOO_MANY_EXPECTATIONS = "too-many-expectations"
    EPSV_ALL = "epsv-all"


@dataclass(frozen=True, slots=True)
class Row:
    """A check's action under ``strict``, and in one sentence what it is about."""

    strict: Action
    what: str


TABLE: Final[Mapping[Check, Row]] = MappingProxyType(
    {
        Check.FOREIGN_ADDRESS: Row(
            Action.RESET,
            "PORT, EPRT or 227 names an address that is not the sender's own (the FTP bounce"
            " attack, RFC 2577 3).",
        ),
        Check.PRIVILEGED_PORT: Row(
            Action.RESET, "PORT, EPRT, 227 or 229 names a port below 1024 (RFC 2577 3)."
        ),
        Check.COMMAND_FROM_SERVER: Row(
            Action.RESET, "The server sends PORT or EPRT where a reply should stand."
        ),
        Check.REPLY_FROM_CLIENT: Row(
            Action.RESET, "The client sends 227 or 229 where a command should stand."
        ),
        Check.UNASKED_REPLY: Row(
            Action.DROP, "The server announces a port by 227 or 229 while no PASV or EPSV waits."
        ),
        Check.PORT_REFUSED: Row(
            Action.LOG,
            "PORT or EPRT is answered by 4xx or 5xx: what it opened is withdrawn, whatever the"
            " action; the reply goes on.",
        ),
        Check.TOO_MANY_PENDING: Row(
            Action.RESET,
            "More commands wait for their replies than [helper] pending allows.",
        ),
        Check.TRAILING_BYTES: Row(
            Action.DROP, "PORT or EPRT goes on after its last number (blanks aside)."
        ),
        Check.WRONG_COUNT: Row(
            Action.DROP, "PORT has other than six numbers, or EPRT other than three fields."
        ),
        Check.BARE_LINE_FEED: Row(
            Action.DROP, "A command ends in LF alone, not CRLF (RFC 959 4.1.3)."
        ),
        Check.LINE_TOO_LONG: Row(Action.RESET, "A command is longer than 4096 bytes."),
        Check.NUL: Row(Action.RESET, "A command holds a NUL byte."),
        Check.TELNET_IN_VERB: Row(
            Action.RESET, "Telnet's IAC stands inside a verb, where it hides the verb."
        ),
        Check.UNKNOWN_VERB: Row(
            Action.LOG,
            "The verb is none of RFC 959, 1639, 2228, 2389, 2428, 2640, 3659 or 7151, nor one"
            " in common use beside them.",
        ),
        Check.DENIED_VERB: Row(Action.DROP, "The verb is in [helper] denied_verbs."),
        Check.LOGIN_REQUIRED: Row(
            Action.DROP, "A transfer or its PORT, EPRT, PASV or EPSV comes before the login (230)."
        ),
        Check.ANONYMOUS_ONLY: Row(Action.LOG, "USER names somebody other than anonymous or ftp."),
        Check.REPLY_TOO_LONG: Row(Action.RESET, "A line of a reply is longer than 4096 bytes."),
        Check.TOO_MANY_EXPECTATIONS: Row(
            Action.DROP,
            "A client holds more unused expectations than [helper] expectations_per_client.",
        ),
        Check.EPSV_ALL: Row(Action.DROP, "PORT, EPRT or PASV comes after EPSV ALL (RFC 2428 4)."),
    }
)

Checks: TypeAlias = Mapping[Check, Action]

COMPAT: Final[Checks] = MappingProxyType(dict.fromkeys(Check, Action.OFF))
STRICT: Final[Checks] = MappingProxyType({check: row.strict for check, row in TABLE.items()})
