"""Whether a connection to some other port is FTP: by how its two sides begin.

RFC 959 5.4: the server speaks first, and says 220. So does a mail server (RFC 5321), but its
client answers with EHLO or HELO; the first word of an FTP client is USER, or AUTH where the
connection is to turn to TLS first (RFC 4217 4). A client that begins otherwise, or whose first
segment does not hold that word, is not recognised.
"""

from __future__ import annotations

import re
from typing import Final

from ftpfw.capture.heard import Heard
from ftpfw.conntrack.model import Direction

MAX_HEARD: Final = 16
"""Packets of a greeting that are kept for when it turns out to be FTP's."""

_OPENING = re.compile(rb"(?:USER|AUTH)[ \t]", re.IGNORECASE)


class Greeting:
    """The beginning of a connection; ``heard`` are the packets with data so far."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def judge(self, heard: Heard) -> bool | None:
        """Take the next packet with data; whether it is FTP, None while that is open."""
        payload = heard.segment.payload
        if heard.direction is Direction.REPLY:
            if not self.heard and not payload.startswith(b"220"):
                return False
            if len(self.heard) < MAX_HEARD:
                self.heard.append(heard)
            return None
        if not self.heard or not _OPENING.match(payload):
            return False
        self.heard.append(heard)
        return True
