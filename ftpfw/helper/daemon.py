"""The inspector as a process: pid file, control socket, readiness, a worker for each queue.

SIGTERM and SIGINT end it cleanly; SIGHUP has it read its policy again. Nothing that it
knows needs saving: expectations, NAT and sequence offsets are the kernel's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from ftpfw.conntrack import cthelper
from ftpfw.conntrack.client import Ctnetlink
from ftpfw.errors import KernelError
from ftpfw.helper.control import ControlSocket, ask
from ftpfw.helper.crew import Member, crew
from ftpfw.helper.eventloop import EventLoop, beside, on_stop_signals
from ftpfw.helper.keeper import keeping
from ftpfw.helper.metrics_server import exporting
from ftpfw.helper.notify import READY, STOPPING, WATCHDOG, notify, require_listener
from ftpfw.helper.reload import Reload, on_hangup
from ftpfw.helper.report import Report
from ftpfw.helper.state import State
from ftpfw.helper.watchdog import BEATS_EVERY, Pulse, Watch, watchdog_seconds
from ftpfw.helper.worker import Worker, worker
from ftpfw.ruleset.compile import HELPER_NAME
from ftpfw.ruleset.policy import Backend, Policy


@dataclass(frozen=True, slots=True)
class Inspectors:
    """Every queue's worker, in this process or in others; ``run`` returns after ``stop``."""

    workers: list[Worker] | list[Member]
    pulses: list[Pulse]
    run: Callable[[], None]
    stop: Callable[[], None]

    def reports(self) -> Report:
        """What each has done, and the queues of those that do not say; called in the loop."""
        told = {one.queue: one.report() for one in self.workers}
        return {
            "workers": [report for report in told.values() if report is not None],
            "silent": [queue for queue, report in told.items() if report is None],
        }

    def renew(self, policy: Policy) -> None:
        """Have each go by ``policy``; called in the loop."""
        for one in self.workers:
            one.renew(policy)


def serve(policy: Policy, backend: Backend, state: State, reread: Callable[[], Policy]) -> None:
    """Inspect until SIGTERM or SIGINT; tells $NOTIFY_SOCKET when it is ready.

    ``reread`` reads the policy again, or raises FtpfwError.
    """
    state.create()
    started = time.time()
    with (
        state.own_pid_file(),
        closing(EventLoop()) as loop,
        _inspectors(policy, backend, loop) as inspectors,
        _attached(policy.helper.queue, backend),
    ):
        reload = Reload(policy, backend, reread, inspectors.renew)

        def report() -> Report:
            return {
                "pid": os.getpid(),
                "backend": backend.value,
                "since": started,
                "policy": reload.standing.as_json(),
                "expectations": _expectations(backend),
                **inspectors.reports(),
            }

        with (
            on_stop_signals(inspectors.stop),
            on_hangup(loop, reload.again),
            keeping(HELPER_NAME[backend], policy.gateway.zone, loop),
            exporting(policy.helper.metrics, lambda: ask(state.control_socket)),
            _answering(state, loop, report),
            _watched(inspectors.pulses, loop),
        ):
            inspectors.run()


@contextmanager
def _inspectors(policy: Policy, backend: Backend, loop: EventLoop) -> Iterator[Inspectors]:
    """The workers, ready. No thread may run yet: a crew forks.

    cthelper gets a process of its own even for one queue: whichever of the two is
    killed, the other suspends the helper, without which new connections would fail.
    """
    if len(policy.helper.queue) > 1 or backend is Backend.CTHELPER:
        with crew(policy, backend, loop) as members:
            yield Inspectors(members, [one.pulse for one in members], loop.run, loop.stop)
        return
    pulse = Pulse()
    with worker(policy.helper.queue[0], backend, policy, pulse, loop) as inspector:

        def run() -> None:
            with beside(loop):
                inspector.reader.run()

        yield Inspectors([inspector], [pulse], run, inspector.reader.stop)


def _expectations(backend: Backend) -> int | None:
    """How many data connections the kernel expects now for our helper; None if it does not say.

    A busy kernel may not: the table changes while it is read, or an answer is lost.
    """
    try:
        with Ctnetlink() as kernel:
            return sum(one.helper == HELPER_NAME[backend] for one in kernel.list_expectations())
    except KernelError:
        return None


@contextmanager
def _answering(state: State, loop: EventLoop, report: Callable[[], Report]) -> Iterator[None]:
    """Answer status requests, and say that all is ready."""
    with closing(ControlSocket(state.control_socket, report)) as control:
        loop.watch(control.fileno(), control.answer)
        require_listener()
        notify(READY)
        yield
        notify(STOPPING)


@contextmanager
def _watched(pulses: list[Pulse], loop: EventLoop) -> Iterator[None]:
    """Tell the service manager that every queue is read, as often as it wants to hear it."""
    limit = watchdog_seconds()
    if limit is not None:
        _watch(Watch(pulses), max(limit / 3, BEATS_EVERY), loop)
    yield


def _watch(watch: Watch, pause: float, loop: EventLoop) -> None:
    if watch.all_alive():
        notify(WATCHDOG)
    loop.after(pause, lambda: _watch(watch, pause, loop))


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
