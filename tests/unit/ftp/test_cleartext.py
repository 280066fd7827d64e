from __future__ import annotations

import pytest

from ftpfw.ftp.cleartext import is_clear_text, looks_clear
from tests.unit.table import table

PAYLOADS = [
    ("a command", b"PWD\r\n", True, True),
    ("a reply", b"200 OK\r\n", True, True),
    ("several lines", b"USER a\r\nPASS b\r\n", True, True),
    ("a bare line feed", b"NOOP\n", False, False),
    ("cut off", b"PORT 1,2", False, False),
    ("a line's rest", b"\r\n", False, False),
    ("too short", b"ab\r\n", False, False),
    ("TLS handshake", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32), False, False),
    ("TLS data that ends like a line", b"\x17\x03\x03\x00\x07secre\r\n", False, False),
    ("the middle of a record with a line's ends", b"abc\x00\x91\x80\r\n", True, False),
    ("Telnet ahead of the verb", b"\xff\xf4\xf2ABOR\r\n", False, False),
    ("a path in UTF-8", "CWD Bücher\r\n".encode(), True, False),
    ("nothing", b"", False, False),
]


@pytest.mark.parametrize(("payload", "looks", "clear"), **table(PAYLOADS))
def test_clear_text(payload: bytes, looks: bool, clear: bool) -> None:
    assert looks_clear(payload) is looks
    assert is_clear_text(payload) is clear
