"""TLS for control and data connections (RFC 4217), on pyftpdlib's.

What was sent in clear text behind AUTH TLS is never obeyed: the connection ends. A data connection
has to resume the TLS session of its control connection, and an upload is whole only if the
client said that it was (close_notify).
"""

from __future__ import annotations

import socket
from operator import attrgetter
from typing import Any

from OpenSSL import SSL
from OpenSSL._util import lib
from pyftpdlib.handlers.ftps.control import TLS_FTPHandler
from pyftpdlib.handlers.ftps.data import TLS_DTPHandler

from ftpfw.server.embedded.data import Data
from ftpfw.server.embedded.session import Session
from ftpfw.server.settings import TlsLevel

_handle = attrgetter("_ssl")  # pyOpenSSL has no name for SSL_session_reused(3)


def is_resumed(connection: SSL.Connection) -> bool:
    """Whether a handshake has resumed a session of the same context."""
    return bool(lib.SSL_session_reused(_handle(connection)))


class SecureData(TLS_DTPHandler, Data):
    """A data connection, inside TLS after PROT P."""

    def handle_ssl_established(self) -> None:
        """Let in who has the control connection's session."""
        required = self.cmd_channel.site.settings.tls.session_reuse
        if required and not is_resumed(self.socket):
            self.cmd_channel.warn("a data connection resumed no TLS session")
            self._end("522 The data connection must resume the control connection's TLS session.")

    def receive_some(self, buffer_size: int) -> bytes:
        """Bytes; close_notify is an end in order, anything else is none."""
        try:
            return super().receive_some(buffer_size)
        except SSL.ZeroReturnError:
            self.ended = True
            raise

    def push_with_producer(self, producer: Any) -> None:
        """Inside TLS, sendfile cannot be used."""
        super().push_with_producer(producer)


class SecureSession(Session, TLS_FTPHandler):
    """A control connection that may change over to TLS."""

    dtp_handler = SecureData

    def __init__(self, conn: socket.socket, server: Any, seat: int, ioloop: Any = None) -> None:
        level = server.site.settings.tls.anonymous
        self.tls_control_required = level in {TlsLevel.CONTROL, TlsLevel.DATA}
        self.tls_data_required = level is TlsLevel.DATA
        self._greeted = False
        super().__init__(conn, server, seat, ioloop)
        if self.connected:
            self._extra_feats = ["AUTH TLS", "PBSZ", "PROT"]

    def get_ssl_context(self) -> Any:
        """A context of this session's own, made when it is needed."""
        return None

    def handle(self) -> None:
        """Greet; inside TLS where that is implicit."""
        if not self.site.settings.tls.implicit:
            super().handle()
            return
        self._pbsz = self._prot = True
        self._change_over()

    def handle_ssl_established(self) -> None:
        """Greet now, where nobody has been greeted before TLS."""
        if self.site.settings.tls.implicit and not self._greeted:
            self._greeted = True
            super().handle()

    def _change_over(self) -> None:
        self.ssl_context = self.site.tls.context()
        self.secure_connection(self.ssl_context)

    def ftp_AUTH(self, line: str) -> None:  # noqa: N802 -- the verb
        """Change over to TLS; what has been sent already in clear text ends the connection."""
        if isinstance(self.socket, SSL.Connection):
            self.respond("503 TLS is on already.")
        elif line.upper() not in {"TLS", "TLS-C", "SSL", "TLS-P"}:
            self.respond("504 Only TLS is understood.")
        elif self.ac_in_buffer or self._waiting:
            self.warn("clear text behind AUTH TLS")
            self.end("421 Nothing may follow AUTH TLS in clear text.")
        else:
            self.flush_account()
            self.respond("234 Go on with TLS.")
            self._change_over()
