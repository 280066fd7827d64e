"""What crosses an interface of a lab host, heard by a packet socket and kept (packet(7)).

Times are the kernel's own (SO_TIMESTAMPNS), so that what was heard on two sides of a gateway can
be put in one order. Files are of the classic pcap format with nanoseconds (0xa1b23c4d), link
type Ethernet.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ftpfw.lab.hosts import LabHost

ETH_P_ALL = 0x0003
SO_TIMESTAMPNS = 35
SNAPLEN = 65535
RECEIVE_BUFFER = 8 << 20
KEPT = 20_000
"""Frames at most; older ones go."""

_GLOBAL = struct.Struct("=IHHiIII")
_RECORD = struct.Struct("=IIII")
_TIMESPEC = struct.Struct("=qq")


@dataclass(frozen=True, slots=True)
class Frame:
    """An Ethernet frame. ``time`` is in nanoseconds since 1970."""

    time: int
    data: bytes


class Capture:
    """What was heard so far on one interface."""

    def __init__(self, host: LabHost, interface: str) -> None:
        self.host, self.interface = host.name, interface
        self._frames: deque[Frame] = deque(maxlen=KEPT)
        self._socket = host.call(lambda: _listening(interface))
        self._taking = threading.Lock()
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._hear, name=f"capture {interface}")
        self._thread.start()

    def _hear(self) -> None:
        while True:
            readable, _, _ = select.select([self._socket, self._stopped], [], [])
            while self._socket in readable and self._take():
                pass
            if self._stopped in readable:
                return

    def _take(self) -> bool:
        with self._taking:
            return self._take_one()

    def _take_one(self) -> bool:
        try:
            data, ancillary, _, _ = self._socket.recvmsg(SNAPLEN, 64, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = _TIMESPEC.unpack(value[: _TIMESPEC.size])
                self._frames.append(Frame(seconds * 10**9 + nanoseconds, data))
        return True

    def close(self) -> None:
        """Hear no more; what was heard stays."""
        self._stop.send(b".")
        self._thread.join()
        for one in (self._socket, self._stop, self._stopped):
            one.close()

    def frames(self, since: int = 0) -> list[Frame]:
        """Frames from a time on, in nanoseconds since 1970, with all that has crossed by now."""
        while self._take():
            pass
        return [frame for frame in list(self._frames) if frame.time >= since]

    def write(self, path: Path, since: int = 0) -> None:
        """A pcap file of the frames from a time on."""
        path.write_bytes(pcap(self.frames(since)))


def _listening(interface: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    made.bind((interface, 0))
    return made


def pcap(frames: list[Frame]) -> bytes:
    """The bytes of a pcap file."""
    parts = [_GLOBAL.pack(0xA1B23C4D, 2, 4, 0, 0, SNAPLEN, 1)]
    for frame in frames:
        seconds, nanoseconds = divmod(frame.time, 10**9)
        size = len(frame.data)
        parts += [_RECORD.pack(seconds, nanoseconds, size, size), frame.data]
    return b"".join(parts)


@contextmanager
def capturing(host: LabHost, *interfaces: str) -> Iterator[tuple[Capture, ...]]:
    """Hear what crosses interfaces of a host meanwhile."""
    made: list[Capture] = []
    try:
        for interface in interfaces:
            made.append(Capture(host, interface))
        yield tuple(made)
    finally:
        for one in made:
            one.close()
