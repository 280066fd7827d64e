"""A control connection: pyftpdlib's, with its timeouts, its end, and what is said on it."""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

from pyftpdlib.handlers.ftp.control import FTPHandler

from ftpfw.server.embedded.addresses import plain
from ftpfw.server.embedded.listing import FACTS

log = logging.getLogger(__name__)

ANY_RIGHTS = "elradfmwMT"


class Everybody:
    """pyftpdlib's authorizer: it lets everything through, since `judge` has been asked."""

    def has_perm(self, username: str, perm: str, path: str | None = None) -> bool:
        """Judged already."""
        del username, perm, path
        return True

    def get_perms(self, username: str) -> str:
        """The letters of every right."""
        del username
        return ANY_RIGHTS

    def impersonate_user(self, username: str, password: str) -> None:
        """The process is the right user already."""

    def terminate_impersonation(self, username: str) -> None:
        """So it stays."""


class Control(FTPHandler):
    """One client's, without its commands."""

    # pyftpdlib's own
    remote_ip: str
    username: str
    password: str
    authenticated: bool
    fs: Any
    data_channel: Any
    _in_buffer: list[bytes]
    _in_buffer_len: int
    _out_dtp_queue: Any
    _in_dtp_queue: Any
    _dtp_acceptor: Any
    _dtp_connector: Any
    _restart_position: int
    _rnfr: str | None
    _quit_pending: bool

    protected = False
    authorizer = Everybody()
    encoding = "utf-8"
    unicode_errors = "surrogateescape"

    def __init__(self, conn: socket.socket, server: Any, seat: int, ioloop: Any = None) -> None:
        self.site = server.site
        settings = self.site.settings
        self._seat: int | None = seat
        self._transferred = time.monotonic()
        self.failures = 0
        self.timeout = settings.timeouts.idle
        self.use_gmt_times = not settings.listing.local_time
        super().__init__(conn, server, ioloop)
        self._current_facts = self._available_facts = list(FACTS)
        self.remote_ip = plain(self.remote_ip)
        if self.connected:
            self._watch_time()

    def _watch_time(self) -> None:
        timeouts = self.site.settings.timeouts
        if timeouts.login:
            self.call_later(timeouts.login, self._end_unless_logged_in)
        if timeouts.session:
            self.call_later(timeouts.session, self.end, "421 The session took too long.")
        if timeouts.no_transfer:
            self.call_later(timeouts.no_transfer, self._end_without_transfer)

    def _end_unless_logged_in(self) -> None:
        if not self.authenticated:
            self.end("421 The login took too long.")

    def _end_without_transfer(self) -> None:
        rest = self._transferred + self.site.settings.timeouts.no_transfer - time.monotonic()
        if rest <= 0 and not self._is_transferring():
            self.end("421 Nothing was transferred for too long.")
        else:
            self.call_later(max(rest, 1), self._end_without_transfer)

    def _is_transferring(self) -> bool:
        queued = self._out_dtp_queue is not None or self._in_dtp_queue is not None
        data = self.data_channel
        return queued or (data is not None and data.is_running())

    def end(self, reply: str) -> None:
        """Take leave of the client."""
        if not self._is_over():
            self.respond(reply)
            self.close_when_done()

    def end_gently(self) -> None:
        """End as soon as no transfer runs."""
        if self._is_transferring():
            self._quit_pending = True
        else:
            self.end("421 The server is going down.")

    def close(self) -> None:
        """The seat is free from now on."""
        if self._seat is not None:
            seat, self._seat = self._seat, None
            self.site.seats.leave(seat)
            self.server.sessions.discard(self)
        super().close()

    def _is_over(self) -> bool:
        """Whether the last reply has been given."""
        return bool(self._closed or self._closing)

    # what is said, and written down

    def handle(self) -> None:
        """Greet."""
        self.note("connected")
        self.say(220, self.site.texts.greeting)

    def say(self, code: int, lines: tuple[str, ...]) -> None:
        """A reply of one line or several (RFC 959 4.2)."""
        *before, last = lines
        self.push("".join(f"{code}-{line}\r\n" for line in before))
        self.respond(f"{code} {last}")

    def respond(self, resp: str, logfun: Any = None) -> None:
        """Send a reply."""
        del logfun
        self._last_response = resp
        self.push(resp + "\r\n")

    def respond_w_warning(self, resp: str) -> None:
        """Send a reply to what should not have been."""
        self.warn(resp)
        self.respond(resp)

    def push(self, data: str) -> None:
        """Send text; names of files need not be UTF-8."""
        if data:
            self.push_bytes(data.encode("utf-8", "surrogateescape"))

    def push_bytes(self, data: bytes) -> None:
        """Send bytes."""
        self.producer_fifo.append(data)
        self.initiate_send()

    def note(self, text: str) -> None:
        """Write down what happens every day."""
        log.info("%s: %s", self.remote_ip, text)

    def warn(self, text: str) -> None:
        """Write down what should not happen."""
        log.warning("%s: %s", self.remote_ip, text)

    def log(self, msg: str, logfun: Any = None) -> None:
        """Pyftpdlib's remarks."""
        del logfun
        log.debug("%s: %s", self.remote_ip, msg)

    logline = log

    def log_exception(self, instance: object) -> None:
        """A fault of the server's own."""
        log.exception("%s: a fault in %s", self.remote_ip, type(instance).__name__)

    def log_cmd(self, cmd: str, arg: Any, respcode: int, respstr: str) -> None:
        """Commands, where they are wanted."""
        del respstr
        if self.site.settings.logs.commands:
            self.note(f"{cmd} {arg!r} {respcode}" if cmd != "PASS" else f"PASS {respcode}")
