"""One thing at a time: while a login is delayed or a transfer runs, further commands wait.

All but ABOR, STAT, QUIT and NOOP, so nobody gets round a delay by sending everything at once.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Any

from ftpfw.server.embedded.control import Control

WAITING = 64
"""Commands that may wait."""

LONGEST_LINE = 2048
"""Bytes of a command."""

MEANWHILE = frozenset({b"ABOR", b"STAT", b"QUIT", b"NOOP"})
"""What is answered while a transfer runs."""


class Turns(Control):
    """Obeys commands in their turn."""

    def __init__(self, conn: socket.socket, server: Any, seat: int, ioloop: Any = None) -> None:
        self._held = False
        self._resuming = False
        self._waiting: deque[bytes] = deque()
        super().__init__(conn, server, seat, ioloop)

    def close(self) -> None:
        """What waits is not obeyed any more."""
        self._waiting.clear()
        super().close()

    def collect_incoming_data(self, data: bytes) -> None:
        """Keep a line, and of one that is too long what shows that: it gets one reply too."""
        kept = data[: LONGEST_LINE + 1 - self._in_buffer_len]
        self._in_buffer.append(kept)
        self._in_buffer_len += len(kept)

    def found_terminator(self) -> None:
        """A whole command line; one that comes behind the last reply is for nobody."""
        if self._is_over():
            self._in_buffer, self._in_buffer_len = [], 0
            return
        line = b"".join(self._in_buffer)
        if not self._waiting and not self._must_wait(line):
            super().found_terminator()
            return
        self._in_buffer, self._in_buffer_len = [], 0
        if self._is_transferring() and line[-4:].upper() == b"ABOR":
            self._waiting.clear()
            self._obey(line)
        elif len(self._waiting) < WAITING:
            self._waiting.append(line)
        else:
            self.end("421 Too many commands at once.")

    def _must_wait(self, line: bytes) -> bool:
        if self._held:
            return True
        return self._is_transferring() and line[-4:].upper() not in MEANWHILE

    def _obey(self, line: bytes) -> None:
        self._in_buffer, self._in_buffer_len = [line], len(line)
        super().found_terminator()

    def go_on(self) -> None:
        """Obey what has waited, as far as nothing makes it wait again."""
        if self._resuming:
            return
        self._resuming = True
        try:
            while self._waiting and not self._is_over() and not self._must_wait(self._waiting[0]):
                self._obey(self._waiting.popleft())
        finally:
            self._resuming = False

    def hold(self, seconds: float, then: Any) -> None:
        """Do something later, and nothing before it."""
        self._held = True

        def release() -> None:
            self._held = False
            then()
            self.go_on()

        self.call_later(seconds, release)
