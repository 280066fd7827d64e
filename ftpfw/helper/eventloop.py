"""One thread that waits for descriptors, and ends on SIGTERM or SIGINT."""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self

STOPS = (signal.SIGTERM, signal.SIGINT)


class EventLoop:
    """Calls back when descriptors can be read; as a context it owns the stop signals."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.running = True
        # A signal alone does not end select(2) (PEP 475): it must bring a byte too.
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    def __enter__(self) -> Self:
        self.watch(self._woken.fileno(), lambda: self._woken.recv(64))
        self._fd_before = signal.set_wakeup_fd(self._waker.fileno())
        self._before = [(stop, signal.signal(stop, lambda *_: self.stop())) for stop in STOPS]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for stop, handler in self._before:
            signal.signal(stop, handler)
        signal.set_wakeup_fd(self._fd_before)
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def watch(self, descriptor: int, ready: Callable[[], object]) -> None:
        """Call ``ready`` whenever ``descriptor`` can be read."""
        self._selector.register(descriptor, selectors.EVENT_READ, ready)

    def stop(self) -> None:
        """Leave the loop after what is at hand."""
        self.running = False

    def run(self) -> None:
        """Serve until `stop`."""
        while self.running:
            for key, _ in self._selector.select():
                key.data()
