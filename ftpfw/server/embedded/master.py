"""The parent of the workers: it accepts nothing and reads nothing that a client sends.

It keeps root, where it was started so, for three things alone: to read the configuration again, to
open what that names, and to give whole uploads to their keeper, which is checked (`giving`).
A reload starts workers on the new settings and has the old ones go on with their sessions; where it
fails, all stays as it is. A worker that dies is mourned and replaced.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from ftpfw.errors import FtpfwError, HostError
from ftpfw.server.embedded.giving import give
from ftpfw.server.embedded.listeners import open_listeners
from ftpfw.server.embedded.loop import Loop
from ftpfw.server.embedded.seats import Seats
from ftpfw.server.embedded.site import Site, prepare
from ftpfw.server.embedded.worker import DONE, DRAIN, GIVE, NOT_DONE, READY, STOP, run_worker
from ftpfw.server.settings import Settings

log = logging.getLogger(__name__)

READY_WITHIN = 20.0
AGAIN_AFTER = 1.0
"""Seconds until a worker that died is replaced."""


@dataclass(slots=True)
class Member:
    """A worker, as its parent knows it."""

    pid: int
    site: Site
    orders: socket.socket
    favours: socket.socket
    ended: int
    draining: bool = False


class Master:
    """Workers, their listening sockets, and what is in force."""

    def __init__(self, loop: Loop, workers: int, given: list[socket.socket] | None = None) -> None:
        self.site: Site | None = None
        self.listeners: list[socket.socket] = given or []
        self._loop = loop
        self._workers = workers
        self._given = bool(given)
        self._seats = Seats()
        self._members: list[Member] = []
        self._stopping = False

    def start(self, settings: Settings) -> None:
        """Start on settings, or change over to them; FtpfwError, and nothing has changed."""
        site = prepare(settings, self._seats)
        listeners = self.listeners
        fresh: list[socket.socket] = []
        try:
            if not self._given:
                listeners, fresh = open_listeners(settings, self.listeners)
            if self.site is None:
                site.clean()
            members = self._fork_all(site, listeners)
        except BaseException:
            for one in fresh:
                one.close()
            site.close()
            raise
        for one in self.listeners:
            if one not in listeners:
                one.close()
        self.listeners, self.site = listeners, site
        for member in self._members:
            self._drain(member)
        self._members += members

    def serve_one(self, settings: Settings, connection: socket.socket) -> None:
        """Serve one connection; the loop ends with it."""
        site = prepare(settings, self._seats)
        self._stopping = True
        self._members = [self._fork(site, [], connection)]
        self.site = site
        connection.close()

    def reload(self, reread: Callable[[], Settings]) -> bool:
        """Change over to what the configuration says by now, or say why not."""
        try:
            self.start(reread())
        except FtpfwError as error:
            log.error(  # noqa: TRY400 -- the error has its own words
                "the configuration was read again and refused, the old one stays: %s", error
            )
            return False
        log.info("the configuration was read again and is in force")
        return True

    def stop(self) -> None:
        """Accept no more; end when the last session has. A second time: end now."""
        if self._stopping:
            for member in self._members:
                with suppress(ProcessLookupError):
                    os.kill(member.pid, signal.SIGKILL)
            return
        self._stopping = True
        for one in self.listeners:
            one.close()
        self.listeners = []
        for member in self._members:
            _order(member, STOP)
        if not self._members:
            self._loop.stop()

    def pids(self) -> list[int]:
        """The workers that accept."""
        return [member.pid for member in self._members if not member.draining]

    def close(self) -> None:
        """Leave no worker behind."""
        for member in self._members:
            with suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
            os.waitpid(member.pid, 0)
            self._forget(member)
        if self.site is not None:
            self.site.close()
        self._seats.close()

    def _drain(self, member: Member) -> None:
        member.draining = True
        _order(member, DRAIN)

    # workers

    def _fork_all(self, site: Site, listeners: list[socket.socket]) -> list[Member]:
        members: list[Member] = []
        try:
            for _ in range(self._workers):
                members.append(self._fork(site, listeners, None))
        except BaseException:
            for member in members:
                os.kill(member.pid, signal.SIGKILL)
                os.waitpid(member.pid, 0)
                self._forget(member)
            raise
        return members

    def _fork(
        self, site: Site, listeners: list[socket.socket], connection: socket.socket | None
    ) -> Member:
        orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        favours, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gc.collect()
        pid = os.fork()
        if not pid:
            old = [one for one in self.listeners if one not in listeners]
            for other in (orders, favours, *_channels(self._members), *old):
                other.close()
            _live(partial(run_worker, site, listeners, connection, theirs, asked), asked)
        theirs.close()
        asked.close()
        member = Member(pid, site, orders, favours, os.pidfd_open(pid))
        _await_ready(member)
        self._loop.watch(member.ended, partial(self._mourn, member))
        self._loop.watch(favours.fileno(), partial(self._favour, member))
        return member

    def _mourn(self, member: Member) -> None:
        """A worker has ended: its seats are free, what it left unfinished is removed."""
        _, status = os.waitpid(member.pid, 0)
        self._members.remove(member)
        self._forget(member)
        self._seats.bury(member.pid)
        member.site.clean(member.pid)
        if member.site is not self.site and all(
            other.site is not member.site for other in self._members
        ):
            member.site.close()
        if self._stopping:
            if not self._members:
                self._loop.stop()
        elif not member.draining:
            log.error("worker %d ended with status %d, another is started", member.pid, status)
            self._loop.after(AGAIN_AFTER, self._replace)

    def _replace(self) -> None:
        if self._stopping or self.site is None or len(self.pids()) >= self._workers:
            return
        try:
            self._members.append(self._fork(self.site, self.listeners, None))
        except HostError as error:
            log.error("no worker came about: %s", error)  # noqa: TRY400 -- it has its own words
            self._loop.after(AGAIN_AFTER, self._replace)

    def _forget(self, member: Member) -> None:
        for descriptor in (member.ended, member.favours.fileno()):
            with suppress(KeyError, ValueError):
                self._loop.unwatch(descriptor)
        os.close(member.ended)
        member.favours.close()
        member.orders.close()

    def _favour(self, member: Member) -> None:
        """A worker asks for a whole upload to be given to its keeper."""
        message, descriptors, _, _ = socket.recv_fds(member.favours, 64, 1)
        if not message:
            self._loop.unwatch(member.favours.fileno())
            return
        done = message == GIVE and bool(descriptors) and give(member.site, descriptors[0])
        for descriptor in descriptors:
            os.close(descriptor)
        with suppress(OSError):
            member.favours.send(DONE if done else NOT_DONE)


def _channels(members: list[Member]) -> list[socket.socket]:
    return [one for member in members for one in (member.orders, member.favours)]


def _order(member: Member, order: bytes) -> None:
    with suppress(OSError):
        member.orders.send(order)


def _live(life: Callable[[], None], channel: socket.socket) -> NoReturn:
    """The worker process; it never returns into its parent's code."""
    status = 1
    try:
        life()
        status = 0
    except FtpfwError as error:
        with suppress(OSError):
            channel.send(str(error).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _await_ready(member: Member) -> None:
    said = b"it says nothing"
    if select.select([member.favours], [], [], READY_WITHIN)[0]:
        said = member.favours.recv(4096) or b"it gave no reason"
    if said != READY:
        with suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)
        os.waitpid(member.pid, 0)
        os.close(member.ended)
        raise HostError(f"a worker did not start: {said.decode(errors='replace')}")


@contextmanager
def pid_file(settings: Settings) -> Iterator[None]:
    """Have the parent's pid in a file meanwhile."""
    if settings.process.pid_file is None:
        yield
        return
    path = Path(settings.process.pid_file)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(f"{os.getpid()}\n", encoding="ascii")
        fresh.replace(path)
    except OSError as error:
        raise HostError(
            f"{path}: the pid cannot be written: {error.strerror}", mend="name another file"
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
