"""A loop that waits for descriptors and times, until it is stopped from any thread."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from heapq import heappop, heappush
from itertools import count
from threading import Lock, Thread
from typing import TypeAlias

STOPS = (signal.SIGTERM, signal.SIGINT)


Entry: TypeAlias = tuple[float, int, Callable[[], object]]
"""When, a number that makes entries of one time unlike, and what to call."""


class EventLoop:
    """Calls back when descriptors can be read, and when it is time."""

    def __init__(self) -> None:
        self.running = True
        self._selector = selectors.DefaultSelector()
        self._timers: list[Entry] = []
        self._lock = Lock()
        self._numbers = count()
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self.watch(self._woken.fileno(), lambda: self._woken.recv(4096))

    def watch(self, descriptor: int, ready: Callable[[], object]) -> None:
        """Call ``ready`` whenever ``descriptor`` can be read."""
        self._selector.register(descriptor, selectors.EVENT_READ, ready)

    def unwatch(self, descriptor: int) -> None:
        """Watch a descriptor no more; before it is closed."""
        self._selector.unregister(descriptor)

    def after(self, seconds: float, callback: Callable[[], object]) -> None:
        """Call ``callback`` once, in so many seconds; any thread may ask.

        Those that are due at the same time are called in the order in which they were asked.
        """
        entry = (time.monotonic() + seconds, next(self._numbers), callback)
        with self._lock:
            heappush(self._timers, entry)
            first = self._timers[0] is entry
        if first:
            self._wake()

    def stop(self) -> None:
        """Leave the loop after what is at hand."""
        self.running = False
        self._wake()

    def run(self) -> None:
        """Serve until `stop`."""
        while self.running:
            for key, _ in self._selector.select(self._pause()):
                # One that is called may unwatch, and close, another that was ready as well.
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
            now = time.monotonic()
            while (callback := self._due(now)) is not None:
                callback()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # woken often enough already
            self._waker.send(b".")

    def _pause(self) -> float | None:
        """Seconds until a timer is due; None where there is none."""
        with self._lock:
            return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _due(self, now: float) -> Callable[[], object] | None:
        """Take a timer whose time has come, if there is one."""
        with self._lock:
            due = self._timers and self._timers[0][0] <= now
            return heappop(self._timers)[2] if due else None

    def close(self) -> None:
        """Give the loop's own descriptors back; it must not run any more."""
        self._selector.close()
        self._woken.close()
        self._waker.close()


@contextmanager
def beside(loop: EventLoop) -> Iterator[None]:
    """Run a loop in a thread of its own meanwhile.

    A fault in it ends the process, as SIGTERM does, and is raised here: a helper without its
    loop would inspect on, but answer nobody and never notice that its parent is gone.
    """
    faults: list[BaseException] = []

    def run() -> None:
        # The main thread waits in a system call that only a signal sent to it can end; handlers
        # run in that thread too.
        signal.pthread_sigmask(signal.SIG_BLOCK, (*STOPS, signal.SIGHUP))
        try:
            loop.run()
        except BaseException as fault:
            faults.append(fault)
            os.kill(os.getpid(), signal.SIGTERM)

    thread = Thread(target=run, name="events")
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join()
    if faults:
        raise faults[0]


@contextmanager
def on_stop_signals(stop: Callable[[], object]) -> Iterator[None]:
    """Have SIGTERM and SIGINT call ``stop`` in the main thread."""
    before = [(number, signal.signal(number, lambda *_: stop())) for number in STOPS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
