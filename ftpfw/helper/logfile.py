"""The helper's log file: several processes append to it, and it stays small.

Each record is one write to a file opened for appending, so lines of several workers
do not mix. Whoever finds the file full renames it, under a lock on the file itself; the others see
that its name has become another file's and follow, as they follow logrotate(8) too.
"""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import suppress
from logging.handlers import WatchedFileHandler
from pathlib import Path

LOG_BYTES = 1 << 20
"""A file this big becomes ``….1``, in place of an older one."""


class SharedLog(WatchedFileHandler):
    """Appends to ``path``, and keeps it and one older file below `LOG_BYTES` each, or so."""

    def __init__(self, path: Path, limit: int = LOG_BYTES) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self._limit = limit

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, to a fresh file if this one is full; a full disk stops nothing."""
        try:
            self.reopenIfNeeded()
            self._rotate_if_full()
            super().emit(record)
        except OSError:
            self.handleError(record)

    def _rotate_if_full(self) -> None:
        """Rename a full file, unless another process has done so since."""
        assert self.stream is not None, "reopened"
        here = os.fstat(self.stream.fileno())
        if here.st_size < self._limit:
            return
        fcntl.flock(self.stream, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self.baseFilename), here):
                os.replace(self.baseFilename, f"{self.baseFilename}.1")
