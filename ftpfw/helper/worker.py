"""One inspector for one queue: engine, ctnetlink socket, queue reader and counters."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

from ftpfw.conntrack import cthelper
from ftpfw.conntrack.client import Ctnetlink
from ftpfw.helper.engine import Engine
from ftpfw.helper.queue import QueueReader
from ftpfw.helper.tally import Tally
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.policy import Backend


@dataclass(frozen=True, slots=True)
class Worker:
    """An inspector that is ready to work."""

    queue: int
    engine: Engine
    tally: Tally
    reader: QueueReader

    def report(self) -> dict[str, Any]:
        """What it has done, for status reports; any thread may ask."""
        return {
            "pid": os.getpid(),
            "queue": self.queue,
            "flows": len(self.engine.flows),
            **self.tally.as_json(),
        }


@contextmanager
def worker(queue: int, backend: Backend) -> Iterator[Worker]:
    """A worker for the queue, bound; at the end the queue is given back."""
    after_nat = backend is Backend.CTHELPER
    engine = Engine(HELPER_NAME[backend], after_nat=after_nat, random=SystemRandom())
    tally = Tally()
    with Ctnetlink() as kernel, QueueReader(queue, engine, kernel, tally) as reader:
        # What lives until the end is no garbage: the collector need not look at it again.
        gc.freeze()
        try:
            yield Worker(queue, engine, tally, reader)
        finally:
            if after_nat:
                cthelper.suspend()  # while the queue is still bound: see cthelper
