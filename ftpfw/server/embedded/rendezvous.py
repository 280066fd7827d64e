"""How a data connection comes about: who may open one, and when.

A connection from elsewhere is dropped without a word, since a reply that answers no command
would shift all that follow; an active connection is opened when a transfer begins.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from pyftpdlib.handlers.ftp.dispatchers import ActiveDTP
from pyftpdlib.ioloop import Connector

from ftpfw.server.embedded.addresses import plain


class Passive:
    """Waits for the client's data connection, in pyftpdlib's loop."""

    def __init__(self, session: Any, listener: socket.socket) -> None:
        self._session = session
        self._listener = listener
        self._fileno = listener.fileno()
        self._ioloop = session.ioloop
        self._closed = False
        accept = session.site.settings.timeouts.accept
        self._timer = accept and self._ioloop.call_later(accept, self._nobody_came)
        self._ioloop.register(self._fileno, self, self._ioloop.READ)

    def readable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """Never."""
        return False

    def handle_read_event(self) -> None:
        """Take a connection from the client's own address, and no other."""
        session = self._session
        try:
            sock, address = self._listener.accept()
        except OSError:
            return
        if plain(address[0]) != session.remote_ip:
            sock.close()
            session.warn(f"a data connection from {plain(address[0])} was dropped")
            return
        self.close()
        session.take_data(sock)

    def handle_close(self) -> None:
        """It broke."""
        self._nobody_came()

    def handle_error(self) -> None:
        """A fault of the server's own."""
        self._session.log_exception(self)
        self.close()

    def _nobody_came(self) -> None:
        if not self._closed:
            self.close()
            self._session.fail_transfer("425 No data connection came.")

    def close(self) -> None:
        """Wait no longer."""
        if self._closed:
            return
        self._closed = True
        self._ioloop.unregister(self._fileno)
        self._listener.close()
        if self._timer and not self._timer.cancelled:
            self._timer.cancel()


class Active(ActiveDTP):
    """Opens a data connection to the client."""

    def __init__(self, ip: str, port: int, session: Any) -> None:
        Connector.__init__(self, ioloop=session.ioloop)
        self.cmd_channel = session
        self.log_exception = session.log_exception
        self._idler = None
        if timeout := session.site.settings.timeouts.connect:
            self._idler = self.call_later(timeout, self.handle_timeout)
        source = plain(session.socket.getsockname()[0])
        try:
            self.create_socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM)
            self.bind((source, 0))
            self.connect((ip, port))
        except OSError:
            self.handle_close()

    def handle_connect(self) -> None:
        """It is open, or failed."""
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        self.del_channel()
        if self._idler is not None and not self._idler.cancelled:
            self._idler.cancel()
        session = self.cmd_channel
        if not session.connected:
            self.close()
            return
        session._dtp_connector = None  # noqa: SLF001 -- pyftpdlib's, and its socket is given on
        self._closed = True  # whatever still is done with this object must not touch the socket
        session.take_data(self.socket)

    def handle_timeout(self) -> None:
        """The client does not answer."""
        self.handle_close()

    def handle_close(self) -> None:
        """No connection came about."""
        if not self._closed:
            self.close()
            if self.cmd_channel.connected:
                self.cmd_channel.fail_transfer("425 Can't open the data connection.")
