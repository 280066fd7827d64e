"""Whether a segment of a control connection under TLS looks like FTP's clear text again.

CCC (RFC 2228 3, RFC 4217 12.3) ends the protection of a control connection, and both the
command and its reply are still encrypted: a reader in the middle sees only that text comes.

`looks_clear` is what a packet filter can compute: five bytes or more, of which the first three are
letters or digits and the last two CR LF. A TLS record begins with its type, 20 to 24
(RFC 8446 5.1), so no record passes for text; the middle of a long record does in one of some
five million segments. `is_clear_text` looks at every byte, and leaves none.
"""

from __future__ import annotations

import re

_LOOKS = re.compile(rb"[0-9A-Za-z]{3}.*\r\n\Z", re.DOTALL)
_TEXT = re.compile(rb"[\t\r\n -~]+\Z")


def looks_clear(payload: bytes) -> bool:
    """Whether the ends of a segment are those of FTP lines: what the rules let through to us."""
    return _LOOKS.match(payload) is not None


def is_clear_text(payload: bytes) -> bool:
    """Whether a segment is FTP lines, and ASCII from end to end."""
    return looks_clear(payload) and _TEXT.match(payload) is not None
