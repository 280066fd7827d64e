"""A loop that waits for descriptors, in any thread, until it is stopped from any thread."""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

STOPS = (signal.SIGTERM, signal.SIGINT)


class EventLoop:
    """Calls back when descriptors can be read."""

    def __init__(self) -> None:
        self.running = True
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        self.watch(self._woken.fileno(), lambda: self._woken.recv(1))

    def watch(self, descriptor: int, ready: Callable[[], object]) -> None:
        """Call ``ready`` whenever ``descriptor`` can be read."""
        self._selector.register(descriptor, selectors.EVENT_READ, ready)

    def stop(self) -> None:
        """Leave the loop after what is at hand."""
        self.running = False
        self._waker.send(b".")

    def run(self) -> None:
        """Serve until `stop`."""
        while self.running:
            for key, _ in self._selector.select():
                key.data()

    def close(self) -> None:
        """Give the loop's own descriptors back; it must not run any more."""
        self._selector.close()
        self._woken.close()
        self._waker.close()


@contextmanager
def beside(loop: EventLoop) -> Iterator[None]:
    """Run a loop in a thread of its own meanwhile."""

    def run() -> None:
        # The main thread waits in a system call that only a signal sent to it can end.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        loop.run()

    thread = Thread(target=run, name="events")
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join()


@contextmanager
def on_stop_signals(stop: Callable[[], object]) -> Iterator[None]:
    """Have SIGTERM and SIGINT call ``stop`` in the main thread."""
    before = [(number, signal.signal(number, lambda *_: stop())) for number in STOPS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
