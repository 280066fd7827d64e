"""Several queues: a worker process for each, and a parent that speaks for all of them.

The rules share connections out over the queues by their original source, so both
directions of a flow meet the same worker. Parent and worker talk over a pipe
(`multiprocessing.Pipe`): the worker says that it is ready, then answers each question,
and ends when the parent is gone. A worker that ends takes the crew with it, because its
queue would stand still.

    None            -> its report
    (text, file)    -> None, once the worker goes by that policy
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn, TypeAlias

from ftpfw.errors import FtpfwError, HostError
from ftpfw.helper.eventloop import EventLoop, beside, on_stop_signals
from ftpfw.helper.processes import end_process
from ftpfw.helper.report import Report
from ftpfw.helper.watchdog import Pulse
from ftpfw.helper.worker import Worker, worker
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.policy_file import read_policy

Channel: TypeAlias = Connection
Question: TypeAlias = tuple[str, str] | None

READY = "ready"
"""The first thing that a worker says; anything else is why it did not start."""

READY_WITHIN = 20.0
ANSWERS_WITHIN = 1.5
ENDS_WITHIN = 3.0
"""Seconds that a worker gets; past them it counts as stuck."""


@dataclass(slots=True)
class Member:
    """A worker process, as its parent knows it; ``owed`` is an answer that has not come yet."""

    queue: int
    pid: int
    pulse: Pulse
    channel: Channel
    owed: bool = False

    def report(self) -> Report | None:
        """Ask the worker for its report; None where it does not answer.

        That is no reason to end: whether its queue is read is the watchdog's to judge.
        """
        try:
            report: Report = self._ask(None)
        except HostError:
            return None
        return report

    def renew(self, policy: Policy) -> None:
        """Have the worker go by another policy; it does when this returns."""
        self._ask((policy.source.text, policy.source.file))

    def _ask(self, question: Question) -> Any:
        with suppress(OSError, EOFError):
            if self.owed:
                self._receive()  # too late for whoever asked
            self.channel.send(question)
            self.owed = True
            return self._receive()
        raise self.ended()

    def _receive(self) -> Any:
        if not self.channel.poll(ANSWERS_WITHIN):
            raise self.ended()
        answer = self.channel.recv()
        self.owed = False
        return answer

    def ended(self) -> HostError:
        """The error for a worker that is gone."""
        return HostError(
            f"the worker for queue {self.queue} (pid {self.pid}) ended or is stuck",
            mend="see the helper's log",
        )


@contextmanager
def crew(policy: Policy, backend: Backend, loop: EventLoop) -> Iterator[list[Member]]:
    """Start a worker for each queue; all are ready when this yields, and gone when it ends."""
    members: list[Member] = []
    with ExitStack() as stack:
        for queue in policy.helper.queue:
            members.append(_start(queue, backend, policy, members))
            stack.callback(_end, members[-1])
        for member in members:
            _await_ready(member)
            stack.callback(os.close, ended := os.pidfd_open(member.pid))
            loop.watch(ended, partial(_mourn, member, loop))
        yield members


def _end(member: Member) -> None:
    member.channel.close()
    end_process(member.pid, ENDS_WITHIN)
    os.waitpid(member.pid, 0)


def _mourn(member: Member, loop: EventLoop) -> None:
    """A worker ends with the crew (one signal may reach all of them), never before it."""
    if loop.running:
        raise member.ended()


def _start(queue: int, backend: Backend, policy: Policy, elder: list[Member]) -> Member:
    ours, theirs = Pipe()
    pulse = Pulse()
    pid = os.fork()
    if pid:
        theirs.close()
        return Member(queue, pid, pulse, ours)
    for channel in (ours, *(member.channel for member in elder)):
        channel.close()
    # A SIGHUP to the whole group is meant for the parent, which passes on what it decides.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    loop = EventLoop()
    return _run(worker(queue, backend, policy, pulse, loop), loop, theirs)


def _run(context: AbstractContextManager[Worker], loop: EventLoop, parent: Channel) -> NoReturn:
    """The worker process; it never returns into its parent's code."""
    status = 1
    try:
        with context as inspector, on_stop_signals(inspector.reader.stop):
            loop.watch(parent.fileno(), lambda: _answer(parent, inspector, loop))
            parent.send(READY)
            with beside(loop):
                inspector.reader.run()
        status = 0
    except FtpfwError as error:
        parent.send(str(error))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _answer(parent: Channel, inspector: Worker, loop: EventLoop) -> None:
    """Answer the parent's next question; without a parent, end."""
    try:
        parent.send(_answer_to(parent.recv(), inspector))
    except (EOFError, OSError):
        loop.running = False
        os.kill(os.getpid(), signal.SIGTERM)


def _answer_to(question: Question, inspector: Worker) -> Report | None:
    if question is None:
        return inspector.report()
    inspector.renew(read_policy(*question))
    return None


def _await_ready(member: Member) -> None:
    said = "it says nothing"
    if member.channel.poll(READY_WITHIN):
        try:
            said = member.channel.recv()
        except EOFError:
            said = "it gave no reason"
    if said != READY:
        raise HostError(f"the worker for queue {member.queue} did not start: {said}")
