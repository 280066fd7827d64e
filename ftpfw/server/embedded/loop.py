"""What the parent waits with, and how signals reach it there."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol


class Loop(Protocol):
    """What the parent waits with."""

    def watch(self, descriptor: int, ready: Callable[[], object]) -> None:
        """Call when a descriptor can be read."""

    def unwatch(self, descriptor: int) -> None:
        """Watch it no more."""

    def after(self, seconds: float, callback: Callable[[], object]) -> None:
        """Call later."""

    def stop(self) -> None:
        """Leave the loop."""

    def run(self) -> None:
        """Serve until then."""


@contextmanager
def signals(loop: Loop, calls: Mapping[int, Callable[[], object]]) -> Iterator[None]:
    """Have signals call functions in the loop, not in the middle of something."""
    woken, waker = socket.socketpair()
    with woken, waker:
        waker.setblocking(False)

        def heed() -> None:
            for number in dict.fromkeys(woken.recv(4096)):
                if call := calls.get(number):
                    call()

        loop.watch(woken.fileno(), heed)
        before = {number: signal.signal(number, lambda *_: None) for number in calls}
        wakeup = signal.set_wakeup_fd(waker.fileno())
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            loop.unwatch(woken.fileno())
