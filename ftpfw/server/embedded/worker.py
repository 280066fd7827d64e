"""A worker: it has no right but its user's, and serves sessions until its parent tells it to end.

    parent → worker   drain   accept no more, go on with the sessions that there are
                      stop    accept no more, let transfers end, and end
    worker → parent   ready   then, each with a descriptor: give, answered by done or not

Without its parent it ends. A session that a worker accepts stays in it.
"""

from __future__ import annotations

import encodings.idna
import errno
import gc
import importlib
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pyftpdlib.ioloop import Acceptor, AsyncChat, IOLoop
from pyftpdlib.servers import FTPServer

from ftpfw.server.embedded.addresses import plain
from ftpfw.server.embedded.bounds import TOO_MANY, refuse_session
from ftpfw.server.embedded.privileges import become
from ftpfw.server.embedded.secure import SecureSession
from ftpfw.server.embedded.session import Session
from ftpfw.server.embedded.site import Site

log = logging.getLogger(__name__)

READY, GIVE, DONE, NOT_DONE = b"ready", b"give", b"done", b"not done"
DRAIN, STOP = b"drain", b"stop"
GRACE = 20.0
"""Seconds that transfers get to end once the server stops."""

GIVEN_WITHIN = 5.0
PAUSE = 1.0
"""Seconds without accepting, after descriptors have run out."""

NEEDED_LATER = (encodings.idna, importlib.import_module("_strptime"))
"""What the standard library imports when it is first used: there may be no right to by then."""

AT_ONCE = 16
"""Connections to accept before others have their turn."""


class Orders(AsyncChat):
    """What the parent says."""

    def __init__(self, channel: socket.socket, obey: Callable[[bytes], None], ioloop: Any) -> None:
        self._obey = obey
        super().__init__(channel, ioloop=ioloop)

    def readable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """Never."""
        return False

    def handle_read_event(self) -> None:
        """An order; none is the parent's end."""
        self._obey(self.socket.recv(64) or STOP)

    def handle_close(self) -> None:
        """The parent is gone."""
        self._obey(STOP)
        self.close()


class Server(FTPServer):
    """Accepts connections on one listening socket, as long as there are seats."""

    def __init__(self, listener: socket.socket, worker: Worker) -> None:
        Acceptor.__init__(self, ioloop=worker.ioloop)
        self.worker = worker
        self.site, self.sessions = worker.site, worker.sessions
        self.ip_map: list[str] = []
        self.backlog = 5
        self.set_socket(listener)

    def handle_accept(self) -> None:
        """Accept what has come; without descriptors, after a while."""
        for _ in range(AT_ONCE):
            try:
                sock, address = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                    log.error("no connection is accepted for a while: %s", error.strerror)  # noqa: TRY400
                    self.del_channel()
                    self.call_later(PAUSE, self.add_channel)
                return
            self.worker.serve(sock, address[0], self)

    handle_read_event = handle_accept

    def _accept_new_cons(self) -> bool:
        """Sessions are counted, not descriptors."""
        return True


class Worker:
    """Listening sockets, sessions and what the parent has ordered."""

    def __init__(
        self,
        site: Site,
        handler: type[Session],
        orders: socket.socket,
        favours: socket.socket,
    ) -> None:
        self.site = site
        self.ioloop = IOLoop()
        self.sessions: set[Session] = set()
        self.servers: list[Server] = []
        self._favours = favours
        self._ending = False
        favours.settimeout(GIVEN_WITHIN)
        site.give_away = self._give_away
        self._handler = handler
        self._orders = Orders(orders, self._obey, self.ioloop)

    def listen(self, listeners: list[socket.socket]) -> None:
        """Accept connections."""
        self.servers = [Server(one, self) for one in listeners]

    def serve(self, sock: socket.socket, address: str, server: Any) -> None:
        """Serve a connection, or turn it away in one line."""
        address, seats = plain(address), self.site.seats
        with seats.locked():
            refusal = refuse_session(self.site.settings.limits, seats.census(address))
            seat = None if refusal else seats.take(address)
        if seat is None:
            log.warning("%s: turned away", address)
            _turn_away(sock, refusal or TOO_MANY)
            return
        try:
            session = self._handler(sock, server, seat, ioloop=self.ioloop)
        except Exception:
            seats.leave(seat)
            log.exception("%s: no session came about", address)
            sock.close()
            return
        if session.connected:
            self.sessions.add(session)
            session.handle()
        else:
            session.close()

    def serve_one(self, connection: socket.socket) -> None:
        """Serve the one connection that inetd has handed over, and end with it."""
        self._ending = True
        self.serve(connection, connection.getpeername()[0], self)

    ip_map: tuple[str, ...] = ()

    def run(self) -> None:
        """Serve until it is to end and nobody is left."""
        timeout = None
        while not self._ending or self.sessions:
            self.ioloop.poll(timeout)
            timeout = self.ioloop.sched.poll()
        self.ioloop.close()

    def _obey(self, order: bytes) -> None:
        for server in self.servers:
            server.close()
        self.servers = []
        self._ending = True
        if order == STOP:
            for session in list(self.sessions):
                session.end_gently()
            self.ioloop.call_later(GRACE, self._close_all)

    def _close_all(self) -> None:
        for session in list(self.sessions):
            session.close()
        self.sessions.clear()

    def _give_away(self, descriptor: int) -> None:
        """Have the parent give a file to its keeper."""
        if self.site.keeper is None:
            mode = self.site.settings.anonymous.drop_box.owner_mode
            if mode is not None and self.site.boxes:
                os.fchmod(descriptor, mode)
            return
        try:
            socket.send_fds(self._favours, [GIVE], [descriptor])
            done = self._favours.recv(64) == DONE
        except OSError:
            done = False
        if not done:
            log.error("an upload could not be given to %s", self.site.keeper.name)


def _turn_away(sock: socket.socket, reply: str) -> None:
    with sock, suppress(OSError):
        sock.setblocking(False)
        sock.send(f"{reply}\r\n".encode())


def handler_for(site: Site) -> type[Session]:
    """What serves a session."""
    return Session if site.tls is None else SecureSession


def run_worker(
    site: Site,
    listeners: list[socket.socket],
    connection: socket.socket | None,
    orders: socket.socket,
    favours: socket.socket,
) -> None:
    """The life of a worker process."""
    handler = handler_for(site)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    become(site.who)
    worker = Worker(site, handler, orders, favours)
    gc.freeze()
    if connection is not None:
        worker.serve_one(connection)
    else:
        worker.listen(listeners)
    favours.send(READY)
    worker.run()
