"""Capture files, frame by frame: pcap and pcapng, plain or gzip, through scapy.

Nothing is dissected, and only the record at hand is in memory. scapy ends a damaged file as
if it were whole and says so in its log; here that is kept, for the reader to be told.
"""

from __future__ import annotations

import gzip
import io
import logging
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from scapy.error import Scapy_Exception
from scapy.utils import RawPcapNgReader, RawPcapReader

from ftpfw.capture.linklayer import CaptureError

Frame: TypeAlias = tuple[float, int, bytes]
"""Seconds since the epoch, link type, bytes as captured."""

GZIP: Final = b"\x1f\x8b"

LONGEST: Final = 16 << 20
"""Bytes of a record that are read: a length beyond is damage, and would fill the memory."""

BUFFER: Final = 1 << 20

_LINK_TYPE = 0xFFFF
"""What of pcap's field is the link type; the upper bits tell of the frame check sequence."""


class _Bounded(io.BufferedReader):
    """A file that refuses to read a record of any length; ``cut``: it ended inside of one."""

    cut = False

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= LONGEST:
            raise OSError(f"a record of {size} bytes")
        try:
            data = super().read(size)
        except EOFError:  # gzip's, whose end mark is missing
            self.cut = True
            raise
        if 0 < len(data) < size:
            self.cut = True
        return data


class _Inflated(io.RawIOBase):
    """What a gzip file holds, as a raw file: so that both kinds can be read in the same way."""

    def __init__(self, file: io.FileIO) -> None:
        super().__init__()
        self._gzip = gzip.GzipFile(fileobj=file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self._gzip.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._gzip.close()
        super().close()


class _Damage(logging.Handler):
    """Keeps the first thing that scapy warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or record.getMessage()


class CaptureReader:
    """Iterates over the frames of a capture; a context that closes it.

    ``damage`` says, once it has been read, why it ended early; None where it did not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._damage = _Damage()
        self._log = logging.getLogger("scapy.runtime")
        try:
            self._file = path.open("rb", buffering=0)
            magic = self._file.read(2)
            self._file.seek(0)
        except OSError as error:
            raise CaptureError(f"{path}: {error.strerror}", mend="give a capture file") from error
        records = _Inflated(self._file) if magic == GZIP else self._file
        self._records = _Bounded(records, BUFFER)
        self.size = path.stat().st_size

    def __enter__(self) -> Self:
        self._propagate = self._log.propagate
        self._log.propagate = False
        self._log.addHandler(self._damage)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._log.removeHandler(self._damage)
        self._log.propagate = self._propagate
        self._records.close()
        self._file.close()

    @property
    def position(self) -> int:
        """How many bytes of the file have been read."""
        return self._file.tell()

    @property
    def damage(self) -> str | None:
        """Why the capture ended early."""
        return "it ends in the middle of a record" if self._records.cut else self._damage.first

    def __iter__(self) -> Iterator[Frame]:
        reader = self._open()
        if isinstance(reader, RawPcapNgReader):
            return _pcapng(reader)
        return _pcap(reader)

    def _open(self) -> Any:
        records: Any = self._records  # scapy's hints know of names alone
        try:
            return RawPcapReader(records)
        except (Scapy_Exception, OSError, EOFError, zlib.error) as error:
            raise CaptureError(
                f"{self._path}: not a capture", mend="give a pcap or pcapng file, or one in gzip"
            ) from error


def _pcap(reader: Any) -> Iterator[Frame]:
    link_type = reader.linktype & _LINK_TYPE
    fraction = 1e-9 if reader.nano else 1e-6
    for frame, meta in reader:
        yield meta.sec + meta.usec * fraction, link_type, frame


def _pcapng(reader: Any) -> Iterator[Frame]:
    time = 0.0
    for frame, meta in reader:
        if meta.tshigh is not None:  # a simple packet block has no time
            time = ((meta.tshigh << 32) + meta.tslow) / meta.tsresol
        yield time, meta.linktype, frame
