"""A file that comes in: hidden until it is whole, then named without replacing anything.

It is written under a name of its own (``.ftpfw-PID-…``, which no client can say) and takes its name
by link(2), which fails where the name is taken, and never follows a link. What broke off is
removed or, where it is kept, named so that everybody sees it; what a worker that died left
behind, its parent removes.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ftpfw.server.embedded.bounds import DISK_IS_FULL
from ftpfw.server.embedded.judge import DENIED

PREFIX = ".ftpfw-"
PARTIAL = ".partial"
EXISTS = "553 That name is taken."
GRANT = 1 << 22
"""Bytes that are asked for at once, which is cheaper than for each chunk."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_IN_PLACE = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Refused(Exception):  # noqa: N818 -- it is what becomes of the command
    """An upload is not taken; the text is the reply."""


def reply_to(error: OSError) -> str:
    """The reply for what the file system says; it tells nothing of what is there."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return DISK_IS_FULL if full else DENIED


@dataclass(frozen=True, slots=True)
class Plan:
    """How an upload is treated. ``at`` is where to begin in a file that is there."""

    directory: str
    name: str
    mode: int
    hidden: bool = True
    replace: bool = False
    rename: bool = False
    keep_partial: bool = False
    append: bool = False
    at: int = 0

    @property
    def in_place(self) -> bool:
        """Whether a file that is there is written to."""
        return self.append or self.at > 0


class Upload:
    """What a data connection writes to; ``folder`` is a descriptor of its directory.

    ``take`` is asked before bytes are written, ``ended`` told in the end how many files and bytes
    of that are not there; ``finished`` is called with the descriptor of the whole file.
    """

    def __init__(
        self,
        folder: int,
        plan: Plan,
        take: Callable[[int, int], None],
        ended: Callable[[int, int], None],
        finished: Callable[[int], None],
    ) -> None:
        self.closed = False
        self.size = 0
        self.name = f"{plan.directory.rstrip('/')}/{plan.name}"
        self._folder = os.dup(folder)
        self._plan = plan
        self._take, self._ended, self._finished = take, ended, finished
        self._granted = 0
        self._whole = False
        self._temporary: str | None = None
        try:
            self._descriptor = self._open()
        except BaseException:
            os.close(self._folder)
            raise

    def _open(self) -> int:
        plan = self._plan
        if plan.in_place:
            return self._open_in_place()
        if self._exists() and not plan.replace and not plan.rename:
            raise Refused(EXISTS)
        if plan.hidden or plan.replace or plan.rename:
            self._temporary = f"{PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
        made = os.open(self._temporary or plan.name, _CREATE, plan.mode, dir_fd=self._folder)
        os.fchmod(made, plan.mode)
        return made

    def _open_in_place(self) -> int:
        plan = self._plan
        try:
            made = os.open(plan.name, _IN_PLACE, dir_fd=self._folder)
        except FileNotFoundError:
            if plan.at:
                raise
            made = os.open(plan.name, _CREATE, plan.mode, dir_fd=self._folder)
            os.fchmod(made, plan.mode)
        end = os.lseek(made, 0, os.SEEK_END)
        if plan.at > end:
            os.close(made)
            raise Refused("554 The file ends before that position.")
        if not plan.append:
            os.lseek(made, plan.at, os.SEEK_SET)
        return made

    def _exists(self) -> bool:
        try:
            os.stat(self._plan.name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def write(self, chunk: bytes | memoryview) -> None:
        """Take bytes, unless they are too many (Refused)."""
        if self._granted < len(chunk):
            self._ask_for(len(chunk))
        self._granted -= len(chunk)
        self.size += len(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _ask_for(self, count: int) -> None:
        """Have room for some more, or at least for what is at hand."""
        try:
            self._take(self.size + GRANT, GRANT)
            self._granted += GRANT
        except Refused:
            self._take(self.size + count, count - self._granted)
            self._granted = count

    def commit(self) -> None:
        """It is whole: give it its name. Refused where that is taken by now."""
        if self._temporary is not None:
            self._name_it(self._temporary)
        self._whole = True
        self._finished(self._descriptor)

    def _name_it(self, temporary: str) -> None:
        plan, folder = self._plan, self._folder
        if plan.replace:
            if not plan.hidden:
                self._keep_mode()
            os.rename(temporary, plan.name, src_dir_fd=folder, dst_dir_fd=folder)
            self._temporary = None
            return
        for name in (plan.name, f"{plan.name}.{secrets.token_hex(4)}"):
            try:
                os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except FileExistsError:
                if not plan.rename:
                    break
            else:
                os.unlink(temporary, dir_fd=folder)
                self._temporary = None
                self.name = f"{plan.directory.rstrip('/')}/{name}"
                return
        raise Refused(EXISTS)

    def _keep_mode(self) -> None:
        """A file that is written over where it is stays as open as it was."""
        with suppress(FileNotFoundError):
            found = os.stat(self._plan.name, dir_fd=self._folder, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                os.fchmod(self._descriptor, stat.S_IMODE(found.st_mode) & 0o777)

    def close(self) -> None:
        """Give the file back; one that is not whole is removed, or marked."""
        if self.closed:
            return
        self.closed = True
        gone = False
        try:
            if not self._whole and not self._plan.in_place:
                with suppress(OSError):
                    gone = self._abandon()
        finally:
            os.close(self._descriptor)
            os.close(self._folder)
            self._ended(int(gone), self._granted + (self.size if gone else 0))

    def _abandon(self) -> bool:
        """Whether nothing of it is left."""
        name, folder = self._temporary or self._plan.name, self._folder
        if not self._plan.keep_partial or not self.size:
            os.unlink(name, dir_fd=folder)
            return True
        kept = f"{self._plan.name}{PARTIAL}-{secrets.token_hex(4)}"
        os.link(name, kept, src_dir_fd=folder, dst_dir_fd=folder)
        os.unlink(name, dir_fd=folder)
        self._finished(self._descriptor)
        return False
