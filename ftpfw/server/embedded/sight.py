"""The file system as an anonymous session sees it, as pyftpdlib asks for it.

It has paths of clients and of the system: here they are one, since a jail opens those of clients.

Whatever cannot be had is answered by one text, so that nobody learns whether it is there.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyftpdlib.exceptions import FilesystemError
from pyftpdlib.filesystems import AbstractedFS

from ftpfw.server.embedded import jail
from ftpfw.server.embedded.judge import NOT_TO_BE_HAD, judge
from ftpfw.server.embedded.listing import Entry, format_facts, format_ls
from ftpfw.server.embedded.paths import is_clean, is_hidden, join
from ftpfw.server.embedded.patterns import matcher
from ftpfw.server.embedded.site import Site

WHY = NOT_TO_BE_HAD.partition(" ")[2].rstrip(".")
NOBODY = "ftp"
"""Owner and group in listings that hide them."""


@contextmanager
def one_answer() -> Iterator[None]:
    """Every error of the file system is told in the same words."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise FilesystemError(WHY) from error


class Sight(AbstractedFS):
    """What is below the root, as far as it may be seen."""

    def __init__(self, site: Site, session: object) -> None:
        super().__init__("/", session)
        self.site = site
        self._jail = site.jail

    # what pyftpdlib asks of paths

    def ftpnorm(self, path: str) -> str:
        """A path in its one form."""
        return join(self.cwd, path)

    ftp2fs = ftpnorm

    def fs2ftp(self, path: str) -> str:
        """The same."""
        return path

    def validpath(self, path: str) -> bool:
        """The jail sees to that, when the file is opened."""
        return bool(path)

    def realpath(self, path: str) -> str:
        """Where a path leads; itself where that is nowhere."""
        try:
            return self._real(path)
        except FilesystemError:
            return path

    def _real(self, path: str) -> str:
        with one_answer(), self._jail.opened(path) as descriptor:
            return self._jail.real(descriptor)

    # what there is

    def judged(self, verb: str, path: str) -> str:
        """What a path has turned out to be; FilesystemError where the verb may not be done."""
        real = self._real(path)
        self._require(verb, real)
        return real

    def _require(self, verb: str, path: str) -> None:
        if judge(self.site.law, verb, path):
            raise FilesystemError(WHY)

    def isdir(self, path: str) -> bool:
        """Whether it is a directory."""
        try:
            return stat.S_ISDIR(self._jail.stat(path).st_mode)
        except OSError:
            return False

    def isfile(self, path: str) -> bool:
        """Whether it is a file that can be fetched."""
        try:
            with self._jail.opened(path) as descriptor:
                return self._is_fetched(os.fstat(descriptor), self._jail.real(descriptor))
        except OSError:
            return False

    def _is_fetched(self, found: os.stat_result, real: str) -> bool:
        site = self.site
        anonymous = site.settings.anonymous
        uploaded = site.is_upload(found.st_uid) and not anonymous.drop_box.readable
        shut = anonymous.world_readable_only and not found.st_mode & stat.S_IROTH
        return (
            stat.S_ISREG(found.st_mode)
            and not uploaded
            and not shut
            and judge(site.law, "SIZE", real) is None
        )

    def lexists(self, path: str) -> bool:
        """Whether there is something."""
        try:
            self._jail.stat(path)
        except OSError:
            return False
        return True

    def stat(self, path: str) -> os.stat_result:
        """Size, mode, owner and the like."""
        with one_answer():
            return self._jail.stat(path)

    lstat = stat

    def getsize(self, path: str) -> int:
        """Bytes of a file."""
        return self.stat(path).st_size

    def getmtime(self, path: str) -> float:
        """When a file was modified."""
        return self.stat(path).st_mtime

    # listings

    def listdir(self, path: str) -> list[str]:
        """Names in a directory, as far as they are shown."""
        self.judged("LIST", path)
        listing, files = self.site.settings.listing, self.site.settings.files
        unlisted = matcher(files.unlisted) if files.unlisted else None
        shown = []
        with one_answer(), self._jail.opened(path, jail.DIRECTORY) as descriptor:
            for name in os.listdir(descriptor):
                hidden = is_hidden(f"/{name}") and not listing.dot_files
                whole = join(path, name)
                if hidden or (unlisted and unlisted(whole)) or judge(self.site.law, "CWD", whole):
                    continue
                if listing.hide_unreachable and not _can_open(descriptor, name):
                    continue
                shown.append(name)
        if not self.site.settings.anonymous.drop_box.shown:
            shown = [name for name in shown if join(path, name) not in self.site.law.boxes]
        shown.sort()
        return shown[: listing.entries]

    def names(self, path: str, asked: str) -> bytes:
        """Lines of NLST: what other commands take for an argument (RFC 1123 4.1.2.7).

        ``asked`` is how the client has named the path; its beginning is that of every name.
        """
        if self.isdir(path):
            before = f"{asked.rstrip('/')}/" if asked not in {"", "."} else ""
            names = [f"{before}{name}" for name in self.listdir(path)]
        else:
            self.stat(path)
            names = [asked]
        lines = "".join(f"{name}\r\n" for name in names if is_clean(name))
        return lines.encode("utf-8", "surrogateescape")

    def entries(self, directory: str, names: list[str]) -> Iterator[Entry]:
        """What listings tell of names; what is neither file nor directory is passed over."""
        for name in names:
            try:
                found = self._jail.stat(f"{directory}/{name}")
            except OSError:
                continue
            if stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode):
                yield self._entry(name, found)

    def _entry(self, name: str, found: os.stat_result) -> Entry:
        hide = self.site.settings.listing.hide_ids
        return Entry(
            name,
            stat.S_ISDIR(found.st_mode),
            stat.S_IMODE(found.st_mode) & 0o777,
            found.st_nlink,
            NOBODY if hide else str(found.st_uid),
            NOBODY if hide else str(found.st_gid),
            found.st_size,
            found.st_mtime,
        )

    def format_list(
        self, basedir: str, listing: list[str], ignore_err: bool = True
    ) -> Iterator[bytes]:
        """Lines of LIST and STAT."""
        del ignore_err
        now = time.time()
        times = time.localtime if self.site.settings.listing.local_time else time.gmtime
        for entry in self.entries(basedir, listing):
            line = format_ls(entry, now, times(entry.modified))
            yield line.encode("utf-8", "surrogateescape")

    def format_mlsx(
        self,
        basedir: str,
        listing: list[str],
        perms: str,
        facts: list[str],
        ignore_err: bool = True,
    ) -> Iterator[bytes]:
        """Lines of MLSD and MLST."""
        del perms
        found = False
        for entry in self.entries(basedir, listing):
            found = True
            perm = self._perm(join(basedir, entry.name), entry)
            line = f"{format_facts(entry, tuple(facts), perm)} {entry.name}\r\n"
            if is_clean(entry.name):
                yield line.encode("utf-8", "surrogateescape")
        if not found and not ignore_err:
            raise FilesystemError(WHY)

    def _perm(self, path: str, entry: Entry) -> str:
        law = self.site.law

        def may(verb: str, below: str = "") -> bool:
            return judge(law, verb, f"{path}{below}") is None

        if entry.is_directory:
            letters = (("c", may("STOR", "/x")), ("e", True), ("l", may("LIST")))
        else:
            letters = (("d", may("DELE")), ("f", may("RNFR")), ("r", may("RETR")))
        return "".join(letter for letter, can in letters if can)


def _can_open(directory: int, name: str) -> bool:
    """Whether the process may read a file, or enter a directory."""
    try:
        is_directory = stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except OSError:
        return False
    return os.access(name, os.X_OK if is_directory else os.R_OK, dir_fd=directory)
