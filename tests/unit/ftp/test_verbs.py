from __future__ import annotations

import pytest

from ftpfw.ftp.verbs import AFTER_LOGIN, KNOWN, Command, asks_for_tls, parse_command_line
from tests.unit.table import table

LINES = [
    ("verb alone", b"NOOP", Command("NOOP", b"")),
    ("any case", b"retr Name", Command("RETR", b"Name")),
    ("several blanks", b"PORT \t 1,2", Command("PORT", b"1,2")),
    ("blanks in the argument stay", b"STOR a b ", Command("STOR", b"a b ")),
    ("Telnet ahead of the verb", b"\xff\xf4\xf2ABOR", Command("ABOR", b"")),
    ("Telnet's option", b"\xff\xfb\x01NOOP", Command("NOOP", b"")),
    ("Telnet inside the verb stays", b"PO\xff\xf1RT 1", Command("PO\xff\xf1RT", b"1")),
    ("IAC IAC is data", b"\xff\xffNOOP", Command("\xff\xffNOOP", b"")),
    ("empty", b"", Command("", b"")),
    ("a blank first", b" PORT 1", Command("", b"PORT 1")),
    ("no case beyond ASCII", b"\xff\xb5\xdf", Command("\xff\xb5\xdf", b"")),
]


@pytest.mark.parametrize(("text", "command"), **table(LINES))
def test_parse_command_line(text: bytes, command: Command) -> None:
    assert parse_command_line(text) == command


TLS = [
    ("RFC 4217", b"AUTH TLS", True),
    ("older clients", b"auth ssl", True),
    ("a draft's", b"AUTH TLS-C", True),
    ("another draft's", b"AUTH TLS-P", True),
    ("blanks behind", b"AUTH TLS ", True),
    ("Kerberos stays text", b"AUTH GSSAPI", False),
    ("no mechanism", b"AUTH", False),
    ("another verb", b"PROT TLS", False),
]


@pytest.mark.parametrize(("text", "asks"), **table(TLS))
def test_asks_for_tls(text: bytes, asks: bool) -> None:
    assert asks_for_tls(parse_command_line(text)) is asks


def test_what_needs_a_login_is_known() -> None:
    assert AFTER_LOGIN <= KNOWN
