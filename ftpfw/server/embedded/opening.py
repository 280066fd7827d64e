"""Data connections of a session: PORT and PASV, in both their forms, and what comes of them."""

from __future__ import annotations

import secrets
import socket
from ipaddress import ip_address
from typing import Any

from ftpfw.errors import PeerError
from ftpfw.ftp.hostport import HostPort, format_port, net_prt, parse_eprt, parse_port
from ftpfw.server.embedded.addresses import listen_passive, plain
from ftpfw.server.embedded.data import Data
from ftpfw.server.embedded.rendezvous import Active, Passive
from ftpfw.server.embedded.turns import Turns


class Opening(Turns):
    """Opens data connections, or waits for them, for the transfers that need one."""

    dtp_handler = Data

    def __init__(self, conn: socket.socket, server: Any, seat: int, ioloop: Any = None) -> None:
        self._target: tuple[str, int] | None = None
        self._connected: socket.socket | None = None  # a data connection that waits for a command
        super().__init__(conn, server, seat, ioloop)

    def flush_account(self) -> None:
        """Where the client waits is forgotten with who it is."""
        super().flush_account()
        self._target = None

    def close(self) -> None:
        """A transfer that waits does not come about."""
        if not self._closed:
            self._drop_transfer()
        super().close()

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

    def _has_data(self) -> bool:
        """Whether there is a data connection or a way to one; says so where there is none."""
        ways = (self.data_channel, self._connected, self._dtp_acceptor, self._target)
        if all(way is None for way in ways):
            self.respond("425 Use PORT or PASV first.")
            return False
        return True

    def _begin(self) -> None:
        if self._connected is not None:
            sock, self._connected = self._connected, None
            self._open_data(sock)
            return
        self.use_data()
        if self.data_channel is None and self._target is not None:
            (ip, port), self._target = self._target, None
            self._dtp_connector = Active(ip, port, self)
