"""Memory that all workers share: who is connected, and what uploads have taken.

A file in memory (memfd_create(2)), mapped by parent and workers. Whoever changes it holds a lock on
the file (fcntl(2)), which the kernel takes back from a process that dies; the parent then frees
that process's seats. The head counts; each session has a record with its worker's pid.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from ftpfw.server.embedded.bounds import Census

MOST = 1 << 14
"""Sessions that there is room for, whatever the settings allow."""

_HEAD = struct.Struct("=IIQQ")  # records in use, uploads that run, files and bytes of uploads
_RECORD = struct.Struct("=IB16s")  # pid of its worker, whether it has logged in, address
_FREE = bytes(_RECORD.size)
_START = 64


class Seats:
    """The shared memory. Made before the workers are, which inherit it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._file = os.memfd_create("ftpfw-seats")
        os.ftruncate(self._file, _START + most * _RECORD.size)
        self._memory = mmap.mmap(self._file, 0)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes it meanwhile."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def census(self, address: str) -> Census:
        """Who is connected."""
        packed = _pack(address)
        records = [record for _, record in self._records() if record[0]]
        return Census(
            len(records),
            sum(record[2] == packed for record in records),
            sum(record[1] for record in records),
            sum(record[1] for record in records if record[2] == packed),
        )

    def take(self, address: str) -> int | None:
        """Take a seat, while it is locked; None where there is no room at all."""
        used = self._head()[0]
        free = next((number for number, record in self._records() if not record[0]), used)
        if free >= self._most:
            return None
        self._write(free, _RECORD.pack(os.getpid(), 0, _pack(address)))
        if free == used:
            self._set_head(used + 1, *self._head()[1:])
        return free

    def log_in(self, seat: int) -> None:
        """A seat's session has logged in."""
        self._memory[self._at(seat) + 4] = 1

    def log_out(self, seat: int) -> None:
        """A seat's session is nobody's any more."""
        self._memory[self._at(seat) + 4] = 0

    def leave(self, seat: int) -> None:
        """Give a seat back."""
        with self.locked():
            self._write(seat, _FREE)
            self._shrink()

    def bury(self, pid: int) -> None:
        """Give the seats of a worker that is gone back."""
        with self.locked():
            for number, record in self._records():
                if record[0] == pid:
                    self._write(number, _FREE)
            self._shrink()
            self.set_running(0)  # how many were its, nobody knows; the next one counts again

    def sessions(self) -> int:
        """How many there are."""
        return sum(bool(record[0]) for _, record in self._records())

    def stored(self) -> tuple[int, int]:
        """Files and bytes in the directories for uploads, as last counted and kept up."""
        _, _, files, size = self._head()
        return files, size

    def set_stored(self, files: int, size: int) -> None:
        """What a count has found, while it is locked."""
        used, running, _, _ = self._head()
        self._set_head(used, running, max(0, files), max(0, size))

    def running(self) -> int:
        """Uploads that run, and may have been granted bytes that are in no file yet."""
        return self._head()[1]

    def set_running(self, running: int) -> None:
        """One more or one less, while it is locked."""
        used, _, files, size = self._head()
        self._set_head(used, max(0, running), files, size)

    def _head(self) -> tuple[int, int, int, int]:
        used, running, files, size = _HEAD.unpack_from(self._memory)
        return int(used), int(running), int(files), int(size)

    def _set_head(self, used: int, running: int, files: int, size: int) -> None:
        _HEAD.pack_into(self._memory, 0, used, running, files, size)

    def _at(self, seat: int) -> int:
        return _START + seat * _RECORD.size

    def _write(self, seat: int, record: bytes) -> None:
        self._memory[self._at(seat) : self._at(seat + 1)] = record

    def _records(self) -> Iterator[tuple[int, tuple[int, int, bytes]]]:
        """The records in use and those between them."""
        whole = self._memory[_START : self._at(self._head()[0])]
        yield from enumerate(_RECORD.iter_unpack(whole))

    def _shrink(self) -> None:
        """Records at the end that are free are not looked at any more."""
        used, *rest = self._head()
        while used and self._memory[self._at(used - 1) : self._at(used)] == _FREE:
            used -= 1
        self._set_head(used, *rest)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self._file)


def _pack(address: str) -> bytes:
    return ip_address(address.partition("%")[0]).packed.ljust(16, b"\0")
