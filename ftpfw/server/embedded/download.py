"""A file that is fetched, as pyftpdlib wants it."""

from __future__ import annotations

import os


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
