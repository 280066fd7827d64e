"""One inspector for one queue: engine, ctnetlink socket, queue reader and counters."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from random import SystemRandom
from typing import Any

from ftpfw.conntrack import cthelper
from ftpfw.conntrack.client import Ctnetlink
from ftpfw.helper.engine import Engine
from ftpfw.helper.eventloop import EventLoop
from ftpfw.helper.queue import QueueReader
from ftpfw.helper.report import SESSIONS, describe_session
from ftpfw.helper.settings import settings_of
from ftpfw.helper.tally import Tally
from ftpfw.helper.transfer_log import TransferLog, transfer_log
from ftpfw.helper.watchdog import Pulse
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.policy import Backend, Policy


@dataclass(frozen=True, slots=True)
class Worker:
    """An inspector that is ready to work."""

    queue: int
    engine: Engine
    tally: Tally
    reader: QueueReader
    transfers: TransferLog

    def report(self) -> dict[str, Any]:
        """What it has done, for status reports; any thread may ask."""
        return {
            "pid": os.getpid(),
            "queue": self.queue,
            "flows": len(self.engine.flows),
            **self.tally.as_json(),
            **asdict(self.reader.drops()),
            "transfer_log": self.transfers.report(),
            "sessions": [
                describe_session(flow, time.monotonic())
                for flow in self.engine.flows.recent(SESSIONS)
            ],
        }

    def renew(self, policy: Policy) -> None:
        """Go by ``policy`` from the next packet on; called in the loop. Sessions stay."""
        self.engine.settings = settings_of(policy)


@contextmanager
def worker(
    queue: int, backend: Backend, policy: Policy, pulse: Pulse, loop: EventLoop
) -> Iterator[Worker]:
    """A worker for the queue, bound; at the end the queue is given back.

    ``loop`` is what runs beside it, for everything but packets.
    """
    after_nat = backend is Backend.CTHELPER
    engine = Engine(
        HELPER_NAME[backend],
        after_nat=after_nat,
        random=SystemRandom(),
        settings=settings_of(policy),
    )
    tally = Tally()
    with (
        Ctnetlink(zone=policy.gateway.zone) as kernel,
        transfer_log(policy.helper, policy.gateway.zone, loop) as transfers,
        QueueReader(queue, engine, kernel, tally, pulse, transfer=transfers.note) as reader,
    ):
        # What lives until the end is no garbage: the collector need not look at it again.
        gc.freeze()
        try:
            yield Worker(queue, engine, tally, reader, transfers)
        finally:
            if after_nat:
                cthelper.suspend()  # while the queue is still bound: see cthelper
