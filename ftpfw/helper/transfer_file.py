"""A file that transfers are appended to, a line each, by several processes.

A line is one write to a file opened for appending, so those of several workers do not mix. A
file that is renamed, as logrotate(8) does, is followed by opening its name anew; none is
ever truncated or removed here. What cannot be written, on a full disk say, is counted.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

from ftpfw.errors import HostError

log = logging.getLogger(__name__)


class TransferFile:
    """Appends whole lines to a file, and counts those that could not be."""

    def __init__(self, path: str) -> None:
        self.written = 0
        self.lost = 0
        self._path = Path(path)
        self._torn = b""
        self._well = True
        try:
            self._descriptor = self._open()
        except OSError as error:
            raise HostError(
                f"the transfer log {path} cannot be written: {error.strerror}",
                mend="make its directory, or name another file in [helper]",
            ) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def append(self, line: str) -> None:
        """Write a line; what cannot be written is counted, and logged the first time."""
        try:
            self._follow()
            self._write(self._torn + line.encode())
        except OSError as error:
            self.lost += 1
            if self._well:
                log.error("%s: transfers are not logged: %s", self._path, error.strerror)  # noqa: TRY400
            self._well = False
        else:
            self.written += 1
            if not self._well:
                log.warning("%s: transfers are logged again, %d were not", self._path, self.lost)
            self._well = True

    def _write(self, line: bytes) -> None:
        written = os.write(self._descriptor, line)
        # A part that is in the file already becomes a line of its own, cut short.
        self._torn = b"" if written == len(line) else b"\n"
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _follow(self) -> None:
        """Open the file anew if its name is another's now, or nobody's."""
        try:
            same = os.path.samestat(self._path.stat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            same = False
        if not same:
            fresh = self._open()
            os.close(self._descriptor)
            self._descriptor, self._torn = fresh, b""

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self._path, flags, 0o600)
