"""What the settings come to on this host: files that are open, texts that are read, accounts.

Made by the parent while it still has its rights, and handed to workers, which could open none of
it any more.
"""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from ftpfw.errors import HostError
from ftpfw.server.embedded.bounds import Room, refuse_upload
from ftpfw.server.embedded.boxes import find_box, may_add, open_box
from ftpfw.server.embedded.certificate import Tls, load
from ftpfw.server.embedded.jail import Jail
from ftpfw.server.embedded.judge import Law
from ftpfw.server.embedded.obeyed import error_at, require_kept
from ftpfw.server.embedded.privileges import Account, account
from ftpfw.server.embedded.seats import Seats
from ftpfw.server.embedded.texts import Texts, read_lines, read_texts
from ftpfw.server.embedded.upload import PREFIX, Refused
from ftpfw.server.settings import Host, Settings, Start, TlsLevel

LOG_MODE = 0o640


@dataclass(slots=True)
class Site:
    """Everything that sessions need. ``give_away`` is the worker's, once it runs."""

    settings: Settings
    law: Law
    jail: Jail
    who: Account
    keeper: Account | None
    texts: Texts
    refused_passwords: frozenset[str]
    announced: str | None
    seats: Seats
    tls: Tls | None
    transfers: int | None
    boxes: tuple[int, ...]
    give_away: Callable[[int], None] = field(default=lambda _: None)

    def is_upload(self, uid: int) -> bool:
        """Whether a file of this owner is one that a client has stored."""
        if self.who.uid == 0 or not self.settings.anonymous.rights.upload:
            return False
        theirs = {self.who.uid} if self.who.name else set()
        return uid in (theirs | ({self.keeper.uid} if self.keeper and self.keeper.uid else set()))

    def begin_upload(self) -> None:
        """Count what there is; Refused where there is no room for one more file."""
        with self.seats.locked():
            running = self.seats.running()
            files, size = self.seats.stored() if running else self._count()
            self.seats.set_stored(files + 1, size)
            try:
                self._require_room(0)
            except Refused:
                self.seats.set_stored(files, size)
                raise
            self.seats.set_running(running + 1)

    def take(self, written: int, more: int) -> None:
        """Room for ``more`` bytes of an upload that then has ``written``; Refused without."""
        with self.seats.locked():
            files, size = self.seats.stored()
            self.seats.set_stored(files, size + more)
            try:
                self._require_room(written)
            except Refused:
                self.seats.set_stored(files, size)
                raise

    def end_upload(self, files: int, size: int) -> None:
        """An upload has ended: so many files and bytes of what it took are not there."""
        with self.seats.locked():
            there = self.seats.stored()
            self.seats.set_stored(there[0] - files, there[1] - size)
            self.seats.set_running(self.seats.running() - 1)

    def _require_room(self, written: int) -> None:
        files, size = self.seats.stored()
        disk = os.statvfs(self.boxes[0] if self.boxes else self.jail.descriptor)
        room = Room(files, size, disk.f_blocks, disk.f_bavail)
        if refusal := refuse_upload(self.settings, room, written):
            raise Refused(refusal)

    def _count(self) -> tuple[int, int]:
        """Files and bytes in the directories for uploads; no more than the quota, and one."""
        most = self.settings.anonymous.drop_box.quota_files
        files = size = 0
        for box in self.boxes:
            with os.scandir(box) as entries:
                for entry in entries:
                    if most is not None and files > most:
                        return files, size
                    with suppress(FileNotFoundError):
                        size += entry.stat(follow_symlinks=False).st_size
                        files += 1
        return files, size

    def clean(self, pid: int | None = None) -> None:
        """Remove what a worker that is gone has left unfinished; of every one without a pid."""
        prefix = PREFIX if pid is None else f"{PREFIX}{pid}-"
        for box in self.boxes:
            for name in os.listdir(box):
                if name.startswith(prefix):
                    with suppress(OSError):
                        os.unlink(name, dir_fd=box)

    def close(self) -> None:
        """Give back what is open."""
        self.jail.close()
        if self.tls is not None:
            self.tls.close()
        for descriptor in (*self.boxes, self.transfers):
            if descriptor is not None:
                os.close(descriptor)


def prepare(settings: Settings, seats: Seats) -> Site:
    """Open and read everything; nothing stays open where that fails (ConfigError, HostError)."""
    require_kept(settings)
    anonymous = settings.anonymous
    who = account(anonymous.user if os.geteuid() == 0 else "")
    root = anonymous.root or _home(settings, who)
    jail = _jail(settings, root)
    opened: list[int] = []
    try:
        boxes = [
            find_box(settings, jail, directory) for directory in anonymous.drop_box.directories
        ]
        boxes = boxes if anonymous.rights.upload else []
        for path, _ in boxes:
            opened.append(open_box(jail, path, who, settings))
        transfers = _transfer_log(settings)
        opened += [] if transfers is None else [transfers]
        return Site(
            settings=settings,
            law=Law(settings, tuple(path for path, _ in boxes)),
            jail=jail,
            who=who,
            keeper=_keeper(settings),
            texts=read_texts(settings, jail),
            refused_passwords=frozenset(read_lines(settings, "anonymous.refused_passwords", None)),
            announced=_announced(settings),
            seats=seats,
            tls=_tls(settings),
            transfers=transfers,
            boxes=tuple(opened[: len(boxes)]),
        )
    except BaseException:
        jail.close()
        for descriptor in opened:
            os.close(descriptor)
        raise


def _home(settings: Settings, who: Account) -> str:
    if who.name:
        return pwd.getpwnam(who.name).pw_dir
    raise error_at(settings, "anonymous.root", "nothing to serve is named", "name it by --root")


def _jail(settings: Settings, root: str) -> Jail:
    try:
        return Jail(root)
    except OSError as error:
        what = f"{root} cannot be served: {error.strerror}"
        raise error_at(settings, "anonymous.root", what, "name another by --root") from error


def _keeper(settings: Settings) -> Account | None:
    name = settings.anonymous.drop_box.owner
    if name is None or os.geteuid() != 0 or not settings.anonymous.rights.upload:
        return None
    try:
        return account(name)
    except HostError:
        raise error_at(
            settings,
            "anonymous.drop_box.owner",
            f"there is no user {name} to give uploads to",
            f"useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {name}",
        ) from None


def _transfer_log(settings: Settings) -> int | None:
    if settings.logs.transfers is None:
        return None
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(settings.logs.transfers, flags, LOG_MODE)
    except OSError as error:
        what = f"{settings.logs.transfers}: transfers cannot be logged: {error.strerror}"
        raise error_at(settings, "logs.transfers", what, "name a file by --xferlog") from error


def _tls(settings: Settings) -> Tls | None:
    if settings.tls.anonymous is TlsLevel.OFF:
        return None
    return load(settings)


def _announced(settings: Settings) -> str | None:
    """The address for 227 replies; a name is resolved now."""
    host: Host | None = settings.passive.announced
    if host is None:
        return None
    try:
        found = socket.getaddrinfo(str(host), None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        what = f"{host}: no IPv4 address, which 227 replies have: {error.strerror}"
        raise error_at(settings, "passive.announced", what, "name one by --public") from error
    return str(found[0][4][0])


def described(settings: Settings, jail: Jail, who: Account) -> Iterator[str]:
    """What is worth a warning on this host, though nothing is wrong."""
    root = os.fstat(jail.descriptor)
    if who.name and may_add(root, who):
        yield f"{jail.directory} can be written to by {who.name}, as whom sessions run"
    ports, clients = settings.passive.ports, settings.limits.clients
    if ports and clients and len(ports) < clients and settings.listen.start is Start.STANDALONE:
        yield f"{len(ports)} passive ports for {clients} clients: some will be told to wait"
