"""The inspector as a process: pid file, control socket, readiness, a worker for each queue.

SIGTERM and SIGINT end it cleanly. Nothing that it knows needs saving: expectations,
NAT and sequence offsets are the kernel's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from ftpfw.conntrack import cthelper
from ftpfw.helper.control import ControlSocket
from ftpfw.helper.crew import crew
from ftpfw.helper.eventloop import EventLoop
from ftpfw.helper.notify import READY, STOPPING, notify
from ftpfw.helper.state import State
from ftpfw.helper.worker import working
from ftpfw.ruleset.policy import Backend, Policy


def serve(policy: Policy, backend: Backend, state: State) -> None:
    """Inspect until SIGTERM or SIGINT; tells $NOTIFY_SOCKET when it is ready."""
    state.create()
    started = time.time()
    queues = policy.helper.queue
    with (
        state.own_pid_file(),
        EventLoop() as loop,
        _inspecting(queues, backend, loop) as workers,
        _attached(queues, backend),
    ):

        def report() -> dict[str, Any]:
            head = {"pid": os.getpid(), "backend": backend.value, "since": started}
            return head | {"workers": workers()}

        with closing(ControlSocket(state.control_socket, report)) as control:
            loop.watch(control.fileno(), control.answer)
            notify(READY)
            loop.run()
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


@contextmanager
def _inspecting(
    queues: range, backend: Backend, loop: EventLoop
) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Serve one queue here or several in processes of their own; yield the reports of all.

    ``cthelper`` gets a process of its own too: whichever of the two is killed, the other
    suspends the helper, without which new connections would fail.
    """
    if len(queues) == 1 and backend is not Backend.CTHELPER:
        with working(queues[0], backend, loop) as worker:
            yield lambda: [worker.report()]
    else:
        with crew(queues, backend, loop) as members:
            yield lambda: [member.report() for member in members]
