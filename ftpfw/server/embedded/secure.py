"""TLS for control and data connections (RFC 4217), on ``ssl``.

What was sent in clear text behind AUTH TLS is never obeyed: the connection ends. A data connection
has to resume the TLS session of its control connection, and an upload is whole only if the
client said that it was (close_notify).

Data connections get no session tickets. A client that uploads reads nothing; to close with one
unread is a reset, which takes with it what has not left the client yet. pyftpdlib's own TLS is
pyOpenSSL's, which cannot leave tickets out.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Any

from pyftpdlib.exceptions import _RetryError

from ftpfw.server.embedded.data import Data
from ftpfw.server.embedded.session import Session
from ftpfw.server.settings import TlsLevel


class Channel:
    """What pyftpdlib's channels need to talk inside TLS. It stands before one of them."""

    socket: Any
    ioloop: Any
    _closed: bool
    _shaking = False

    def is_inside(self) -> bool:
        """Whether TLS is on, or coming."""
        return isinstance(self.socket, ssl.SSLSocket)

    def change_over(self, context: ssl.SSLContext) -> None:
        """Begin a handshake; `established` or `shake_failed` is called in the end."""
        try:
            self.socket = context.wrap_socket(
                self.socket,
                server_side=True,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
        except OSError:
            self.shake_failed()
            return
        self._shaking = True
        self._shake()

    def _shake(self) -> None:
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self.modify_ioloop_events(self.ioloop.READ)
        except ssl.SSLWantWriteError:
            self.modify_ioloop_events(self.ioloop.WRITE)
        except OSError:
            self._shaking = False
            self.shake_failed()
        else:
            self._shaking = False
            self.established()

    def modify_ioloop_events(self, events: int, logdebug: bool = False) -> None:
        """Watch for something else; pyftpdlib's."""
        super().modify_ioloop_events(events, logdebug)  # type: ignore[misc]

    def established(self) -> None:
        """The handshake is over."""
        raise NotImplementedError

    def shake_failed(self) -> None:
        """There is no TLS with this client."""
        raise NotImplementedError

    def readable(self) -> bool:
        """While it shakes hands, always."""
        return self._shaking or super().readable()  # type: ignore[misc]

    def writable(self) -> bool:
        """While it shakes hands, always."""
        return self._shaking or super().writable()  # type: ignore[misc]

    def handle_read_event(self) -> None:
        """Bytes for the handshake, or what they are else."""
        self._shake() if self._shaking else super().handle_read_event()  # type: ignore[misc]

    def handle_write_event(self) -> None:
        """Room for the handshake, or what it is else."""
        self._shake() if self._shaking else super().handle_write_event()  # type: ignore[misc]

    def send(self, data: bytes) -> int:
        """Send bytes; none where TLS has to wait."""
        try:
            return int(super().send(data))  # type: ignore[misc]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except ssl.SSLError:
            self.handle_close()
            return 0

    def recv(self, buffer_size: int) -> Any:
        """Bytes; none at the end."""
        try:
            return super().recv(buffer_size)  # type: ignore[misc]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            raise _RetryError from error
        except ssl.SSLError:
            self.handle_close()
            return b""

    def handle_close(self) -> None:
        """It has ended; pyftpdlib's."""
        super().handle_close()  # type: ignore[misc]

    def close(self) -> None:
        """Say that it ends, without waiting for an answer."""
        if not self._closed and self.is_inside() and not self._shaking:
            with suppress(OSError, ValueError):
                self.socket.unwrap()
        super().close()  # type: ignore[misc]


class SecureData(Channel, Data):
    """A data connection, inside TLS after PROT P."""

    ready = False

    def open(self) -> None:
        """Shake hands first, where the client wants the connection protected."""
        if self.cmd_channel.protected:
            self.change_over(self.cmd_channel.context)
        else:
            self.established()

    def use_sendfile(self) -> bool:
        """The kernel sends a file as it is, which is not for TLS."""
        return not self.is_inside() and bool(super().use_sendfile())

    def established(self) -> None:
        """Let in who has the control connection's session."""
        self.modify_ioloop_events(0)
        required = self.is_inside() and self.cmd_channel.site.settings.tls.session_reuse
        if required and not self.socket.session_reused:
            self.cmd_channel.warn("a data connection resumed no TLS session")
            self._refuse("522 The data connection must resume the control connection's session.")
            return
        self.ready = True
        super().open()

    def shake_failed(self) -> None:
        """There is no TLS with this client."""
        self._refuse("522 TLS did not come about on the data connection.")

    def _refuse(self, reply: str) -> None:
        self.close()
        self.cmd_channel.fail_transfer(reply)


class SecureSession(Channel, Session):
    """A control connection that may change over to TLS."""

    dtp_handler = SecureData
    proto_cmds = Session.proto_cmds | {
        verb: {"perm": None, "auth": False, "arg": True, "help": f"Syntax: {verb} <SP> {what}."}
        for verb, what in (("AUTH", "TLS"), ("PBSZ", "0"), ("PROT", "C|P"))
    }

    def __init__(self, conn: socket.socket, server: Any, seat: int, ioloop: Any = None) -> None:
        self.protected = self._sized = bool(server.site.settings.tls.implicit)
        self.context: ssl.SSLContext | None = None
        super().__init__(conn, server, seat, ioloop)
        self._extra_feats = ["AUTH TLS", "PBSZ", "PROT"]

    def handle(self) -> None:
        """Greet; inside TLS where that is implicit."""
        if self.site.settings.tls.implicit:
            self._begin_tls()
        else:
            super().handle()

    def _begin_tls(self) -> None:
        self.context = self.site.tls.context()
        self.change_over(self.context)

    def established(self) -> None:
        """Greet, where nobody has been greeted before TLS. Its tickets are the last ones."""
        assert self.context is not None, "it began the handshake"
        self.context.num_tickets = 0
        self.modify_ioloop_events(self.ioloop.READ)
        if self.site.settings.tls.implicit:
            super().handle()

    def shake_failed(self) -> None:
        """Nothing that is said would be understood."""
        self.warn("TLS did not come about")
        self.close()

    def flush_account(self) -> None:
        """Data connections are in clear text again."""
        super().flush_account()
        self.protected = self._sized = self.site.settings.tls.implicit

    def process_command(self, cmd: str, *args: Any, **kwargs: Any) -> None:
        """Insist on TLS, where it is required."""
        level = self.site.settings.tls.anonymous
        required = level in {TlsLevel.CONTROL, TlsLevel.DATA} and not self.is_inside()
        if cmd in {"USER", "PASS"} and required:
            self.respond("530 AUTH TLS first.")
            return
        data = {"PASV", "EPSV", "PORT", "EPRT"}
        if cmd in data and level is TlsLevel.DATA and not self.protected:
            self.respond("521 PROT P first.")
            return
        super().process_command(cmd, *args, **kwargs)

    def ftp_AUTH(self, line: str) -> None:  # noqa: N802 -- the verb
        """Change over to TLS; what has been sent already in clear text ends the connection."""
        if self.is_inside():
            self.respond("503 TLS is on already.")
        elif line.upper() not in {"TLS", "TLS-C", "SSL", "TLS-P"}:
            self.respond("504 Only TLS is understood.")
        elif self.ac_in_buffer or self._waiting:
            self.warn("clear text behind AUTH TLS")
            self.end("421 Nothing may follow AUTH TLS in clear text.")
        else:
            self.flush_account()
            self.respond("234 Go on with TLS.")
            self._begin_tls()

    def ftp_PBSZ(self, line: str) -> None:  # noqa: N802 -- the verb
        """A formality (RFC 4217 8)."""
        del line
        self._sized = self.is_inside()
        self.respond("200 PBSZ=0" if self._sized else "503 AUTH TLS first.")

    def ftp_PROT(self, line: str) -> None:  # noqa: N802 -- the verb
        """Say whether data connections are inside TLS."""
        level = line.upper()
        if not self.is_inside() or not self._sized:
            self.respond("503 AUTH TLS and PBSZ first.")
        elif level == "P" or (level == "C" and not self.site.settings.tls.implicit):
            self.protected = level == "P"
            self.respond(f"200 PROT {level} it is.")
        else:
            self.respond("536 Only C and P are to be had.")
