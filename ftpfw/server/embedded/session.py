"""A control connection: pyftpdlib's, with every command judged before it touches a file.

One thing at a time: while a login is delayed or a transfer runs, further commands wait, except
ABOR, STAT, QUIT and NOOP, so nobody gets round a delay by sending everything at once.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections import deque
from ipaddress import ip_address
from typing import Any

from pyftpdlib.exceptions import FilesystemError
from pyftpdlib.handlers.ftp.control import FTPHandler

from ftpfw.errors import PeerError
from ftpfw.ftp.hostport import HostPort, format_port, net_prt, parse_eprt, parse_port
from ftpfw.ftp.xferlog import Line, format_line
from ftpfw.server.embedded.bounds import refuse_login
from ftpfw.server.embedded.data import Active, Data, Passive, listen_passive, plain, send_small
from ftpfw.server.embedded.files import Download, Files
from ftpfw.server.embedded.judge import (
    DENIED,
    JUDGED,
    NOT_TO_BE_HAD,
    judge,
    may_overwrite,
    may_resume,
    verb_refused,
)
from ftpfw.server.embedded.listing import FACTS, LISTS, without_options
from ftpfw.server.embedded.paths import is_clean, split
from ftpfw.server.embedded.site import read_message
from ftpfw.server.embedded.upload import Plan, Refused, Upload

log = logging.getLogger(__name__)

WAITING = 64
"""Commands that may wait."""

LONGEST_LINE = 2048
"""Bytes of a command."""

MEANWHILE = frozenset({b"ABOR", b"STAT", b"QUIT", b"NOOP"})
"""What is answered while a transfer runs."""

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


class Session(FTPHandler):
    """One client."""

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
    dtp_handler = Data
    encoding = "utf-8"
    unicode_errors = "surrogateescape"

    def __init__(self, conn: socket.socket, server: Any, seat: int, ioloop: Any = None) -> None:
        self.site = server.site
        settings = self.site.settings
        self._seat: int | None = seat
        self._held = False
        self._resuming = False
        self._waiting: deque[bytes] = deque()
        self._named = ""  # the argument as the client wrote it
        self._target: tuple[str, int] | None = None
        self._connected: socket.socket | None = None  # a data connection that waits for a command
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
        self._waiting.clear()
        if not self._closed:
            self._drop_transfer()
        super().close()

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

    # one thing at a time

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

    def _is_over(self) -> bool:
        """Whether the last reply has been given."""
        return bool(self._closed or self._closing)

    def _must_wait(self, line: bytes) -> bool:
        if self._held:
            return True
        return self._is_transferring() and line[-4:].upper() not in MEANWHILE

    def _is_transferring(self) -> bool:
        queued = self._out_dtp_queue is not None or self._in_dtp_queue is not None
        data = self.data_channel
        return queued or (data is not None and data.is_running())

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

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        """Refuse what would break replies and logs."""
        if len(line.encode("utf-8", "surrogateescape")) > LONGEST_LINE:
            self.respond_w_warning("500 Command too long.")
            return
        if not is_clean(line):
            self.respond("501 Control characters are not understood.")
            return
        arg = without_options(arg) if cmd in LISTS else arg
        self._named = arg
        super().pre_process_command(line, cmd, arg)

    def process_command(self, cmd: str, *args: Any, **kwargs: Any) -> None:
        """Obey a command, if it is to be."""
        if verb_refused(self.site.settings, cmd):
            self.respond("502 Command not allowed.")
            return
        if cmd in JUDGED and self.authenticated and (args[0] or cmd != "STAT"):
            path = self.fs.ftp2fs(args[0]) if cmd != "STOU" else self._unique_path(args[0])
            refusal = judge(self.site.law, cmd, path)
            if refusal is None and not self._may_be_told(cmd, path):
                refusal = NOT_TO_BE_HAD
            if refusal is None and cmd == "MLSD" and not self.fs.lexists(path):
                refusal = NOT_TO_BE_HAD
            if refusal is not None:
                self._restart_position, self._rnfr = 0, None
                self.respond(refusal)
                self.log_cmd(cmd, args[0], int(refusal[:3]), refusal[4:])
                return
        super().process_command(cmd, *args, **kwargs)

    def _may_be_told(self, cmd: str, path: str) -> bool:
        """Whether a verb may tell of a file: not of uploads, nor of what cannot be fetched."""
        if cmd not in {"SIZE", "MDTM", "MLST"} or self.fs.isfile(path):
            return True
        return cmd == "MLST" and bool(self.fs.isdir(path))

    # login

    def ftp_USER(self, line: str) -> None:  # noqa: N802 -- the verb
        """Anonymous names log in; of others nothing is said before the password."""
        if self.authenticated:
            self.flush_account()
        self.username = line
        if self._is_anonymous() and not self.site.settings.anonymous.ask_password:
            self._log_in("")
            return
        self.respond("331 Send your e-mail address as the password.")

    def ftp_PASS(self, line: str) -> None:  # noqa: N802 -- the verb
        """Log in, after a while where that is set."""
        if self.authenticated or not self.username:
            self.respond("503 Send USER first.")
            return
        login = self.site.settings.login
        if self._is_anonymous() and line not in self.site.refused_passwords:
            if login.success_delay:
                self.hold(login.success_delay, lambda: self._log_in(line))
            else:
                self._log_in(line)
        elif login.failure_delay:
            self.hold(login.failure_delay, self._refuse_login)
        else:
            self._refuse_login()

    def _is_anonymous(self) -> bool:
        anonymous = self.site.settings.anonymous
        return anonymous.any_name or self.username.lower() in anonymous.names

    def _log_in(self, password: str) -> None:
        seats = self.site.seats
        with seats.locked():
            refusal = refuse_login(self.site.settings.limits, seats.census(self.remote_ip))
            if refusal is None and self._seat is not None:
                seats.log_in(self._seat)
        if refusal is not None:
            self.end(refusal)
            return
        self.authenticated = True
        self.password = password
        self.failures = 0
        self.fs = Files(self.site, self)
        self.note(f"logged in as {self.username!r}, {password!r}")
        self.say(230, self.site.texts.login)

    def _refuse_login(self) -> None:
        self.failures += 1
        self.warn(f"login as {self.username!r} refused")
        self.username = ""
        most = self.site.settings.login.failures
        if most is not None and self.failures >= most:
            self.end("421 Too many failed logins.")
        else:
            self.respond("530 This server is for anonymous clients.")

    def flush_account(self) -> None:
        """Nobody is logged in any more."""
        super().flush_account()
        self._target = None
        if self._seat is not None:
            self.site.seats.log_out(self._seat)

    def ftp_QUIT(self, line: str) -> None:  # noqa: N802 -- the verb
        """Say goodbye, after the transfer that runs."""
        del line
        self.say(221, self.site.texts.goodbye)
        if self._is_transferring():
            self._quit_pending = True
            self.del_channel()
        else:
            self._shutdown_connecting_dtp()
            self.close_when_done()

    # data connections

    def ftp_PORT(self, line: str) -> None:  # noqa: N802 -- the verb
        """Remember where the client waits."""
        self._aim("PORT", line)

    def ftp_EPRT(self, line: str) -> None:  # noqa: N802 -- the verb
        """Remember where the client waits."""
        self._aim("EPRT", line)

    def _aim(self, verb: str, line: str) -> None:
        argument = line.encode("utf-8", "surrogateescape")
        mine = b"2" if ":" in self.remote_ip else b"1"
        if verb == "EPRT" and (net_prt(argument) or mine) != mine:
            self.respond(f"522 Network protocol not supported, use ({mine.decode()}).")
            return
        try:
            asked = parse_port(argument) if verb == "PORT" else parse_eprt(argument).endpoint
        except PeerError:
            self.respond(f"501 {verb} not understood.")
            return
        if self._epsvall or not self.site.settings.active.enabled:
            self.respond(f"501 {verb} not allowed.")
        elif asked.host != ip_address(self.remote_ip):
            self.respond_w_warning(f"501 {verb} to another address refused.")
        elif asked.port < 1024:
            self.respond_w_warning(f"501 {verb} to a privileged port refused.")
        else:
            self._forget_data()
            self._target = (self.remote_ip, asked.port)
            self.respond(f"200 {verb} command successful.")

    def _forget_data(self) -> None:
        self._shutdown_connecting_dtp()
        self._target = None
        if self.data_channel is not None:
            self.data_channel.close()
            self.data_channel = None

    def _shutdown_connecting_dtp(self) -> None:
        """No data connection is waited for, and none waits."""
        super()._shutdown_connecting_dtp()
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def _make_epasv(self, extmode: bool = False) -> None:
        """Wait for a data connection; on a port of the range, or not at all."""
        settings = self.site.settings.passive
        if not settings.enabled:
            self.respond("502 Passive transfers are switched off.")
            return
        self._forget_data()
        address = plain(self.socket.getsockname()[0])
        if not extmode and ":" in address:
            self.respond("425 PASV is for IPv4; use EPSV.")
            return
        start = secrets.randbelow(len(settings.ports)) if settings.ports else 0
        listener = listen_passive(address, settings.ports, start)
        if listener is None:
            self.respond_w_warning("425 No passive port is free, try again later.")
            return
        self._dtp_acceptor = Passive(self, listener)
        port = listener.getsockname()[1]
        if extmode:
            self.respond(f"229 Entering Extended Passive Mode (|||{port}|)")
        else:
            announced = HostPort(ip_address(self.site.announced or address), port)
            self.respond(f"227 Entering Passive Mode ({format_port(announced).decode()}).")

    def take_data(self, sock: socket.socket) -> None:
        """A data connection has come: for the transfer that waits, or for the next command."""
        self._dtp_acceptor = None
        if self.protected or self._is_transferring():
            self._open_data(sock)
        else:
            self._connected = sock

    def _open_data(self, sock: socket.socket) -> None:
        data = self.dtp_handler(sock, self)
        if not data.connected:  # it was reset before it was accepted
            self.fail_transfer("426 Connection broken; transfer aborted.")
            return
        self.data_channel = data
        data.open()

    def use_data(self) -> None:
        """Begin the transfer that waits, if there is one and a data connection too."""
        data = self.data_channel
        waits = self._out_dtp_queue is not None or self._in_dtp_queue is not None
        if waits and data is not None and data.ready:
            data.begin()
            self._on_dtp_connection()

    def fail_transfer(self, reply: str) -> None:
        """No data connection came about."""
        self._shutdown_connecting_dtp()
        waited = self._is_transferring()
        self._drop_transfer()
        if waited:
            self.respond(reply)
        if self._quit_pending:
            self.close_when_done()
        self.go_on()

    def _drop_transfer(self) -> None:
        """A transfer that waits for its data connection does not come about."""
        out, into = self._out_dtp_queue, self._in_dtp_queue
        self._out_dtp_queue = self._in_dtp_queue = None
        for file, verb in ((out and out[2], "RETR"), (into and into[0], "STOR")):
            if file is not None:
                file.close()
                self.log_transfer(verb, file.name, verb == "STOR", False, 0.0, 0)

    def ftp_ABOR(self, line: str) -> None:  # noqa: N802 -- the verb
        """End the transfer that runs or waits, which is answered first (RFC 959 4.1.3)."""
        del line
        if not self._is_transferring():
            self._forget_data()
            self.respond("225 No transfer to abort.")
            return
        data = self.data_channel
        if data is not None and data.is_running():
            data.abort("426 Transfer aborted.")
        else:
            self._forget_data()
            self.fail_transfer("426 Transfer aborted.")
        self.respond("226 Abort successful.")

    def _has_data(self) -> bool:
        """Whether there is a data connection or a way to one; says so where there is none."""
        ways = (self.data_channel, self._connected, self._dtp_acceptor, self._target)
        if all(way is None for way in ways):
            self.respond("425 Use PORT or PASV first.")
            return False
        return True

    def push_dtp_data(
        self, data: Any, isproducer: bool = False, file: Any = None, cmd: str | None = None
    ) -> None:
        """Send a file or a listing over the data connection, which may still have to come."""
        if not self._has_data():
            if file is not None:
                file.close()
            return
        size = f" ({file.size} bytes)" if isinstance(file, Download) else ""
        if self._dtp_acceptor is not None:
            self._dtp_acceptor.handle_read_event()  # it may have come, and not be noticed yet
        self.respond(f"150 Opening data connection{size}.")
        if isinstance(file, Download) and self._connected is not None and self._sends_at_once(file):
            return
        self._out_dtp_queue = (data, isproducer, file, cmd)
        self._begin()

    def _sends_at_once(self, file: Download) -> bool:
        """Whether a small file has gone over the data connection that waits, whole."""
        rate = self.site.settings.limits.anonymous_download_rate
        sock = self._connected
        if sock is None or rate is not None or self._current_type != "i":
            return False
        if not send_small(sock, file):
            return False
        self._connected = None
        sock.close()
        file.close()
        self._transferred = time.monotonic()
        self.respond("226 Transfer complete.")
        self.log_transfer("RETR", file.name, False, True, 0.0, file.size)
        return True

    def _receive(self, upload: Upload, cmd: str, reply: str) -> None:
        self.respond(reply)
        self._in_dtp_queue = (upload, cmd)
        self._begin()

    def _begin(self) -> None:
        if self._connected is not None:
            sock, self._connected = self._connected, None
            self._open_data(sock)
            return
        self.use_data()
        if self.data_channel is None and self._target is not None:
            (ip, port), self._target = self._target, None
            self._dtp_connector = Active(ip, port, self)

    def _on_dtp_close(self) -> None:
        """A data connection is closed: what has waited goes on."""
        self._transferred = time.monotonic()
        quit_after, self._quit_pending = self._quit_pending, False
        super()._on_dtp_close()
        if quit_after:
            self.close_when_done()
        else:
            self.go_on()

    def log_transfer(  # noqa: PLR0917 -- pyftpdlib's
        self,
        cmd: str,
        filename: str,
        receive: bool,
        completed: bool,
        elapsed: float,
        bytes: int,  # noqa: A002 -- pyftpdlib's name
    ) -> None:
        """Write a transfer of a file down."""
        del cmd
        way = "stored" if receive else "fetched"
        self.note(f"{filename} {way}, {bytes} bytes{'' if completed else ', incomplete'}")
        if self.site.transfers is None:
            return
        line = format_line(
            Line(
                time.localtime(),
                max(1, round(elapsed)),
                self.remote_ip,
                bytes,
                f"{self.site.jail.directory.rstrip('/')}{filename}",
                receive,
                True,
                self.password or self.username,
                completed,
            )
        )
        os.write(self.site.transfers, line.encode("utf-8", "surrogateescape"))

    # files

    def ftp_CWD(self, path: str) -> Any:  # noqa: N802 -- the verb
        """Enter a directory, and show its message."""
        name = self.site.settings.messages.directory_file
        before = self.fs.cwd
        try:
            self.fs.chdir(path)
        except Exception as error:
            self.respond(f"550 {error}.")
            return None
        lines = read_message(self.site.jail, path, name) if name and path != before else ()
        self.say(250, (*lines, "Directory changed."))
        return path

    def ftp_NLST(self, path: str) -> Any:  # noqa: N802 -- the verb
        """Names alone."""
        try:
            names = self.fs.names(path, self._named)
        except FilesystemError as error:
            self.respond(f"550 {error}.")
            return None
        self.push_dtp_data(names, cmd="NLST")
        return path

    def ftp_STAT(self, path: str) -> Any:  # noqa: N802 -- the verb
        """Of the session no more than the client knows."""
        if path:
            return super().ftp_STAT(path)
        who = "logged in" if self.authenticated else "not logged in"
        self.say(211, ("Status", f" {who}; TYPE {self._current_type.upper()}", "End"))
        return None

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:  # noqa: N802 -- the verb
        """Store a file."""
        append = mode == "a"
        at, self._restart_position = self._restart_position, 0
        if at and not may_resume(self.site.law, file):
            self.respond(DENIED)
            return None
        return self._store("APPE" if append else "STOR", file, append, at, "")

    def ftp_STOU(self, line: str) -> Any:  # noqa: N802 -- the verb
        """Store a file under a name of its own."""
        path = f"{self._unique_path(line)}.{secrets.token_hex(4)}"
        self._restart_position = 0
        return self._store("STOU", path, False, 0, f"FILE: {split(path)[1]}")

    def _unique_path(self, line: str) -> str:
        return str(self.fs.ftp2fs(line or "upload"))

    def _store(self, verb: str, path: str, append: bool, at: int, said: str) -> Any:
        if not self._has_data():
            return None
        settings = self.site.settings
        anonymous, files = settings.anonymous, settings.files
        plan = Plan(
            *split(path),
            files.base_mode & ~anonymous.file_umask & 0o777,
            hidden=files.hidden_until_complete,
            replace=may_overwrite(self.site.law, path),
            rename=files.rename_uploads,
            keep_partial=files.keep_partial,
            append=append,
            at=at,
        )
        try:
            upload = self.fs.create(verb, path, plan, self.site.take)
        except Refused as refused:
            self.respond(str(refused))
            return None
        self._receive(upload, verb, f"150 {said or 'Ok to send data.'}")
        return path
