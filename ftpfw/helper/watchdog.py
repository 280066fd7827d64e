"""The watchdog: a service manager hears from us as long as every queue is read.

Spec: sd_notify(3), WATCHDOG=1, and sd_watchdog_enabled(3), $WATCHDOG_USEC. A process that
answers its timers can still have a queue that stands still, so the thread that reads
a queue gives the sign of life: its `Pulse` beats each time that it comes back to the
queue for more, which it does once a second even if nothing comes. A worker that is
stopped, or that never returns from a packet, does not beat.
"""

from __future__ import annotations

import mmap
import os

BEATS_EVERY = 1.0
"""Seconds between two beats of a queue to which nothing comes."""


class Pulse:
    """Counts how often a queue's reader came back to it, in memory that forks share."""

    def __init__(self) -> None:
        self._count = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    def beat(self) -> None:
        """Another time; the reader calls this."""
        self._count[0] += 1

    @property
    def beats(self) -> int:
        """How often so far; whoever watches reads this."""
        return self._count[0]


class Watch:
    """Tells whether every pulse has beaten since the last look."""

    def __init__(self, pulses: list[Pulse]) -> None:
        self._pulses = pulses
        self._seen = [pulse.beats for pulse in pulses]

    def all_alive(self) -> bool:
        """Whether each queue was read since this was asked with that answer before."""
        now = [pulse.beats for pulse in self._pulses]
        if any(beats == seen for beats, seen in zip(now, self._seen, strict=True)):
            return False
        self._seen = now
        return True


def watchdog_seconds() -> float | None:
    """How often the service manager wants to hear from this process; None if it does not."""
    limit, pid = os.environ.get("WATCHDOG_USEC"), os.environ.get("WATCHDOG_PID")
    if not limit or (pid and int(pid) != os.getpid()):
        return None
    return int(limit) / 1_000_000
