"""A file that is fetched, as pyftpdlib wants it; a small one goes without pyftpdlib."""

from __future__ import annotations

import os
import socket

SMALL = 1 << 15


class Download:
    """Its descriptor, the path that it has turned out to have, and its size in bytes."""

    def __init__(self, descriptor: int, path: str, size: int) -> None:
        self.name, self.size = path, size
        self.closed = False
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def read(self, count: int) -> bytes:
        """The next bytes."""
        return os.read(self._descriptor, count)

    def tell(self) -> int:
        """Where the next ones are."""
        return os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def seek(self, position: int) -> None:
        """Go on elsewhere."""
        os.lseek(self._descriptor, position, os.SEEK_SET)

    def close(self) -> None:
        """Give it back."""
        if not self.closed:
            self.closed = True
            os.close(self._descriptor)


def send_small(sock: socket.socket, file: Download) -> bool:
    """Send what is left of a small file at once; False where some of it is left still.

    Most of the time of a small file goes into objects and events that it can do without.
    """
    offset: int = file.tell()
    left: int = file.size - offset
    if not 0 < left <= SMALL:
        return False
    sock.setblocking(False)
    try:
        # The last bytes leave with the FIN, whoever closes: one segment, and the client wakes once.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        sent = os.sendfile(sock.fileno(), file.fileno(), offset, left)
    except OSError:
        return False
    if sent < left:
        file.seek(offset + sent)
    return sent == left
