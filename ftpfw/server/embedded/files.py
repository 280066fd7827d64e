"""What a session may do to files: fetch, store and change them, in what it sees."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyftpdlib.exceptions import FilesystemError

from ftpfw.server.embedded import jail
from ftpfw.server.embedded.download import Download
from ftpfw.server.embedded.judge import NOT_TO_BE_HAD
from ftpfw.server.embedded.paths import join, split
from ftpfw.server.embedded.sight import WHY, Sight, one_answer
from ftpfw.server.embedded.upload import Plan, Refused, Upload, reply_to


class Files(Sight):
    """What is below the root, as far as it may be had."""

    def open(self, path: str, mode: str) -> Download:
        """A file to fetch."""
        del mode
        most = self.site.settings.limits.load
        if most is not None and os.getloadavg()[1] > most:  # of five minutes, as Pure-FTPd's
            raise FilesystemError("The server is busy, try again later")
        with one_answer():
            descriptor = self._jail.open(path, jail.READ)
        try:
            with one_answer():
                found, real = os.fstat(descriptor), self._jail.real(descriptor)
            self._require_fetched(found, real)
        except FilesystemError:
            os.close(descriptor)
            raise
        return Download(descriptor, real, found.st_size)

    def _require_fetched(self, found: os.stat_result, real: str) -> None:
        if not self._is_fetched(found, real):
            raise FilesystemError(WHY)

    def chdir(self, path: str) -> None:
        """Enter a directory, which the session's user must be allowed to."""
        with one_answer(), self._jail.opened(path, jail.PATH | os.O_DIRECTORY) as descriptor:
            self._require("CWD", self._jail.real(descriptor))
            os.close(os.open(".", jail.PATH, dir_fd=descriptor))
        self.cwd = path

    @contextmanager
    def _folder(self, verb: str, path: str) -> Iterator[tuple[int, str]]:
        """The directory that a path is in, and its name there, if the verb may be done."""
        directory, name = split(path)
        if not name:
            raise FilesystemError(WHY)
        with one_answer(), self._jail.opened(directory, jail.PATH | os.O_DIRECTORY) as descriptor:
            self._require(verb, join(self._jail.real(descriptor), name))
            yield descriptor, name

    def mkdir(self, path: str) -> None:
        """Make a directory."""
        mode = 0o777 & ~self.site.settings.anonymous.directory_umask
        with self._folder("MKD", path) as (folder, name):
            os.mkdir(name, 0o700, dir_fd=folder)
            os.chmod(name, mode, dir_fd=folder)

    def rmdir(self, path: str) -> None:
        """Remove a directory."""
        with self._folder("RMD", path) as (folder, name):
            os.rmdir(name, dir_fd=folder)

    def remove(self, path: str) -> None:
        """Delete a file."""
        with self._folder("DELE", path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def rename(self, source: str, target: str) -> None:
        """Rename; what is there is replaced where STOR may overwrite too."""
        with self._folder("RNFR", source) as (old, name), self._folder("RNTO", target) as (new, to):
            if self.site.settings.anonymous.rights.overwrite:
                os.rename(name, to, src_dir_fd=old, dst_dir_fd=new)
                return
            jail.rename_to_new(old, name, new, to)

    def chmod(self, path: str, mode: int) -> None:
        """Change permissions, no others than read, write and execute."""
        with self._folder("SITE CHMOD", path) as (folder, name):
            descriptor = os.open(name, jail.READ | os.O_NOFOLLOW, dir_fd=folder)
            try:
                os.fchmod(descriptor, mode & 0o777)
            finally:
                os.close(descriptor)

    def utime(self, path: str, timeval: float) -> None:
        """Set a file's time."""
        with self._folder("MFMT", path) as (folder, name):
            os.utime(name, (timeval, timeval), dir_fd=folder, follow_symlinks=False)

    def create(self, verb: str, path: str, plan: Plan, take: Callable[[int, int], None]) -> Upload:
        """A file to store; Refused with the reply where it is not to be."""
        site = self.site
        site.begin_upload()
        try:
            with self._folder(verb, path) as (folder, _):
                try:
                    return Upload(folder, plan, take, site.end_upload, site.give_away)
                except OSError as error:
                    raise Refused(reply_to(error)) from error
        except FilesystemError as error:
            site.end_upload(1, 0)
            raise Refused(NOT_TO_BE_HAD) from error
        except Refused:
            site.end_upload(1, 0)
            raise
