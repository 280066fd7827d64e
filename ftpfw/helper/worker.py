"""One inspector for one queue: engine, ctnetlink socket, queue reader and counters."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

from ftpfw.conntrack import cthelper
from ftpfw.conntrack.client import Ctnetlink
from ftpfw.helper.engine import Engine
from ftpfw.helper.eventloop import EventLoop
from ftpfw.helper.queue import QueueReader
from ftpfw.helper.tally import Tally
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.policy import Backend


@dataclass(frozen=True, slots=True)
class Worker:
    """An inspector at work."""

    queue: int
    engine: Engine
    tally: Tally

    def report(self) -> dict[str, Any]:
        """What it has done, for status reports."""
        return {
            "pid": os.getpid(),
            "queue": self.queue,
            "flows": len(self.engine.flows),
            **self.tally.as_json(),
        }


@contextmanager
def working(queue: int, backend: Backend, loop: EventLoop) -> Iterator[Worker]:
    """Inspect the packets of a queue whenever ``loop`` runs."""
    after_nat = backend is Backend.CTHELPER
    engine = Engine(HELPER_NAME[backend], after_nat=after_nat, random=SystemRandom())
    tally = Tally()
    with Ctnetlink() as kernel, QueueReader(queue, engine, kernel, tally) as reader:
        loop.watch(reader.fileno(), reader.read)
        try:
            yield Worker(queue, engine, tally)
        finally:
            if after_nat:
                cthelper.suspend()  # while the queue is still read: see cthelper
