"""Several queues: a worker process for each, and a parent that speaks for all of them.

The rules share connections out over the queues by their original source, so both
directions of a flow meet the same worker. Parent and worker
talk over a socket pair: the worker says that it is ready, answers each ``?`` with its
report, and ends when the parent is gone. A worker that ends takes the crew with it,
because its queue would stand still.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from ftpfw.errors import FtpfwError, HostError
from ftpfw.helper.eventloop import EventLoop, beside, on_stop_signals
from ftpfw.helper.processes import end_process
from ftpfw.helper.worker import Worker, worker
from ftpfw.ruleset.policy import Backend

ASK = b"?"
READY = b"!"
LONGEST = 1 << 20

READY_WITHIN = 20.0
ANSWERS_WITHIN = 1.5
ENDS_WITHIN = 3.0
"""Seconds that a worker gets; past them it counts as stuck."""


@dataclass(frozen=True, slots=True)
class Member:
    """A worker process, as its parent knows it."""

    queue: int
    pid: int
    channel: socket.socket

    def report(self) -> dict[str, Any]:
        """Ask the worker for its report."""
        self.channel.settimeout(ANSWERS_WITHIN)
        try:
            self.channel.send(ASK)
            answer = self.channel.recv(LONGEST)
        except OSError:
            answer = b""
        if not answer:
            raise self.ended()
        report: dict[str, Any] = json.loads(answer)
        return report

    def ended(self) -> HostError:
        """The error for a worker that is gone."""
        return HostError(
            f"the worker for queue {self.queue} (pid {self.pid}) ended or is stuck",
            mend="see the helper's log",
        )


@contextmanager
def crew(queues: range, backend: Backend, loop: EventLoop) -> Iterator[list[Member]]:
    """Start a worker for each queue; all are ready when this yields, and gone when it ends."""
    members: list[Member] = []
    with ExitStack() as stack:
        for queue in queues:
            members.append(_start(queue, backend, members))
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


def _start(queue: int, backend: Backend, elder: list[Member]) -> Member:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid:
        theirs.close()
        ours.settimeout(READY_WITHIN)
        return Member(queue, pid, ours)
    for channel in (ours, *(member.channel for member in elder)):
        channel.close()
    return _run(queue, backend, theirs)


def _run(queue: int, backend: Backend, parent: socket.socket) -> NoReturn:
    """The worker process; it never returns into its parent's code."""
    status = 1
    try:
        loop = EventLoop()
        with worker(queue, backend) as inspector, on_stop_signals(inspector.reader.stop):
            loop.watch(parent.fileno(), lambda: _answer(parent, inspector, loop))
            parent.send(READY)
            with beside(loop):
                inspector.reader.run()
        status = 0
    except FtpfwError as error:
        parent.send(str(error).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _answer(parent: socket.socket, inspector: Worker, loop: EventLoop) -> None:
    if parent.recv(1):
        parent.send(json.dumps(inspector.report()).encode())
    else:
        loop.running = False
        os.kill(os.getpid(), signal.SIGTERM)


def _await_ready(member: Member) -> None:
    try:
        said = member.channel.recv(LONGEST)
    except TimeoutError:
        said = b"it says nothing"
    if said != READY:
        reason = said.decode() or "it gave no reason"
        raise HostError(f"the worker for queue {member.queue} did not start: {reason}")
