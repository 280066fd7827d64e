"""The inspector as a process: pid file, control socket, readiness, a worker for each queue.

SIGTERM and SIGINT end it cleanly. Nothing that it knows needs saving: expectations,
NAT and sequence offsets are the kernel's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeAlias

from ftpfw.conntrack import cthelper
from ftpfw.helper.control import ControlSocket
from ftpfw.helper.crew import crew
from ftpfw.helper.eventloop import EventLoop, beside, on_stop_signals
from ftpfw.helper.notify import READY, STOPPING, notify
from ftpfw.helper.state import State
from ftpfw.helper.worker import worker
from ftpfw.ruleset.policy import Backend, Policy

Report: TypeAlias = dict[str, Any]


def serve(policy: Policy, backend: Backend, state: State) -> None:
    """Inspect until SIGTERM or SIGINT; tells $NOTIFY_SOCKET when it is ready."""
    state.create()
    started = time.time()
    queues = policy.helper.queue

    def report(workers: list[Report]) -> Report:
        return {
            "pid": os.getpid(),
            "backend": backend.value,
            "since": started,
            "workers": workers,
        }

    with state.own_pid_file(), closing(EventLoop()) as loop:
        # cthelper gets a process of its own even for one queue: whichever of the two is
        # killed, the other suspends the helper, without which new connections would fail.
        if len(queues) > 1 or backend is Backend.CTHELPER:
            with (
                crew(queues, backend, loop) as members,
                _attached(queues, backend),
                on_stop_signals(loop.stop),
                _answering(state, loop, lambda: report([m.report() for m in members])),
            ):
                loop.run()
        else:
            with (
                worker(queues[0], backend) as inspector,
                on_stop_signals(inspector.reader.stop),
                _answering(state, loop, lambda: report([inspector.report()])),
                beside(loop),
            ):
                inspector.reader.run()


@contextmanager
def _answering(state: State, loop: EventLoop, report: Callable[[], Report]) -> Iterator[None]:
    """Answer status requests, and say that all is ready."""
    with closing(ControlSocket(state.control_socket, report)) as control:
        loop.watch(control.fileno(), control.answer)
        notify(READY)
        yield
        notify(STOPPING)


@contextmanager
def _attached(queues: range, backend: Backend) -> Iterator[None]:
    """Have the kernel's helper hook feed the queue as long as somebody reads it."""
    if backend is not Backend.CTHELPER:
        yield
        return
    cthelper.register(queues[0])
    try:
        yield
    finally:
        cthelper.suspend()
