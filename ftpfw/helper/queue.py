"""The queue: packets from NFQUEUE to the engine, verdicts back.

A fault of our own lets the packet pass unchanged: the inspector opens nothing by
accident, and stops nothing by accident.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from netfilterqueue import NetfilterQueue, Packet

from ftpfw.errors import HostError
from ftpfw.helper.commands import Accept, Drop, Note, Transfer
from ftpfw.helper.driver import Kernel, drive
from ftpfw.helper.engine import Engine
from ftpfw.helper.report import UNKNOWN, Drops, queue_drops
from ftpfw.helper.tally import REFUSALS, Tally
from ftpfw.helper.watchdog import BEATS_EVERY, Pulse

log = logging.getLogger(__name__)

NF_INET_LOCAL_IN = 1
NF_INET_POST_ROUTING = 4
HOOKS_AFTER_NAT = frozenset({NF_INET_LOCAL_IN, NF_INET_POST_ROUTING})

QUEUES = Path("/proc/net/netfilter/nfnetlink_queue")

BACKLOG = 4096
"""Packets that may wait in the kernel for the inspector (NFQA_CFG_QUEUE_MAXLEN)."""

RECHECK = struct.pack("@ll", int(BEATS_EVERY), 0)
"""A struct timeval: see `_Blocking`."""

LOG_LINES = 20
"""Lines of notes logged a second; a peer must not fill the disk, and counters count all."""


class _Stopped(BaseException):
    """Ends the wait for the next packet; no fault, so no Exception."""


class _Blocking:
    """The queue's socket as netfilterqueue's ``run_socket`` wants it: waits, until stopped.

    Waiting in recv(2) costs one system call a packet where select(2) costs three. A signal
    ends the wait by an exception. One that comes in the instant before the wait begins
    would be noticed with the next packet only, hence the timeout on the socket, which also
    lets the pulse beat while nothing comes.
    """

    def __init__(self, netlink: socket.socket, tally: Tally, pulse: Pulse) -> None:
        self._netlink = netlink
        self._tally = tally
        self._pulse = pulse
        self._stopped = False
        self._waits = False
        netlink.setblocking(True)
        netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, RECHECK)

    def stop(self) -> None:
        """Have ``recv`` raise; a signal handler calls this in the thread that receives."""
        self._stopped = True
        if self._waits:
            raise _Stopped

    def recv(self, size: int) -> bytes:
        """Return the next message."""
        self._waits = True
        try:
            while not self._stopped:
                self._pulse.beat()
                try:
                    return self._netlink.recv(size)
                except BlockingIOError:
                    continue
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    # The kernel had more packets than the socket could take; they went
                    # by the rule's bypass, or were dropped and will be repeated.
                    self._tally.overruns += 1
            raise _Stopped
        finally:
            self._waits = False


class QueueReader:
    """Inspects the packets of one queue; as a context it gives the queue back."""

    def __init__(
        self,
        number: int,
        engine: Engine,
        kernel: Kernel,
        tally: Tally,
        pulse: Pulse,
        *,
        transfer: Callable[[Transfer], None],
    ) -> None:
        self._engine = engine
        self._kernel = kernel
        self._tally = tally
        self._transfer = transfer
        self._queue = NetfilterQueue()
        try:
            self._queue.bind(number, self._on_packet, max_len=BACKLOG)
        except OSError as error:
            raise HostError(
                f"queue {number} cannot be bound",
                mend="another process has it (see /proc/net/netfilter/nfnetlink_queue): "
                "stop that one, or set [helper] queue to another number",
            ) from error
        self._netlink = socket.socket(fileno=os.dup(self._queue.get_fd()))
        self._source = _Blocking(self._netlink, tally, pulse)
        self._log_since, self._log_spent = 0.0, 0
        self._number = number

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._queue.unbind()
        self._netlink.close()

    def drops(self) -> Drops:
        """The packets that never got here; only root may know."""
        try:
            return queue_drops(QUEUES.read_text(), self._number)
        except OSError:
            return UNKNOWN

    def stop(self) -> None:
        """End `run` after the packet at hand; a signal handler may call it."""
        self._source.stop()

    def run(self) -> None:
        """Inspect packets until `stop`."""
        with suppress(_Stopped):
            self._queue.run_socket(cast(socket.socket, self._source))

    def _on_packet(self, packet: Packet) -> None:
        began = time.perf_counter()
        try:
            self._decide(packet)
        except Exception:
            self._tally.errors += 1
            log.exception("a packet was let through unchanged after a fault of ftpfw's own")
            packet.accept()
        self._tally.verdicts.observe(time.perf_counter() - began)

    def _decide(self, packet: Packet) -> None:
        payload = packet.get_payload()
        after_nat = packet.hook in HOOKS_AFTER_NAT
        if self._engine.glance(payload, after_nat=after_nat):
            self._tally.packets += 1
            packet.accept()
            return
        walk = self._engine.inspect(payload, after_nat=after_nat, now=time.monotonic())
        verdict = drive(walk, self._kernel, self._note, self._transfer)
        self._tally.count(verdict)
        match verdict:
            case Drop():
                packet.drop()
            case Accept(packet=rebuilt):
                if rebuilt is not None:
                    packet.set_payload(rebuilt)
                packet.accept()

    def _note(self, note: Note) -> None:
        self._tally.note(note, time.time())
        level = logging.INFO if note.kind in REFUSALS else logging.DEBUG
        if log.isEnabledFor(level) and self._may_log(time.monotonic()):
            log.log(
                level, "%s %s: %s %r", note.tuple, note.kind.value, note.reason, note.detail[:200]
            )

    def _may_log(self, now: float) -> bool:
        """Spend one of this second's lines; the first of a second tells how many were left out."""
        if now - self._log_since >= 1:
            if self._log_spent > LOG_LINES:
                log.warning("%d notes were not logged", self._log_spent - LOG_LINES)
            self._log_since, self._log_spent = now, 0
        self._log_spent += 1
        return self._log_spent <= LOG_LINES
