"""The queue: packets from NFQUEUE to the engine, verdicts back.

A fault of our own lets the packet pass unchanged: the inspector opens nothing by
accident, and stops nothing by accident.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import time
from types import TracebackType
from typing import Self, cast

from netfilterqueue import NetfilterQueue, Packet

from ftpfw.errors import HostError
from ftpfw.helper.commands import Accept, Drop, Note, NoteKind
from ftpfw.helper.driver import Kernel, drive
from ftpfw.helper.engine import Engine
from ftpfw.helper.tally import Tally

log = logging.getLogger(__name__)

NF_INET_LOCAL_IN = 1
NF_INET_POST_ROUTING = 4
HOOKS_AFTER_NAT = frozenset({NF_INET_LOCAL_IN, NF_INET_POST_ROUTING})

BACKLOG = 4096
"""Packets that may wait in the kernel for the inspector (NFQA_CFG_QUEUE_MAXLEN)."""

BATCH = 64
"""Packets taken at a time, so that signals and status requests get their turn under load."""

TELLING = frozenset({NoteKind.EXPECTED, NoteKind.REWRITTEN, NoteKind.REFUSED, NoteKind.UNUSABLE})


class _Batch:
    """The queue's socket as netfilterqueue's ``run_socket`` wants it, for a batch at a time."""

    def __init__(self, netlink: socket.socket, tally: Tally) -> None:
        self._netlink = netlink
        self._tally = tally
        self._left = 0

    def begin(self) -> _Batch:
        self._left = BATCH
        return self

    def recv(self, size: int) -> bytes:
        """Return the next message; EAGAIN ends the batch."""
        while self._left:
            self._left -= 1
            try:
                return self._netlink.recv(size, socket.MSG_DONTWAIT)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # The kernel had more packets than the socket could take; they went by
                # the rule's bypass, or were dropped and will be repeated.
                self._tally.overruns += 1
        raise BlockingIOError(errno.EAGAIN, "batch is over")


class QueueReader:
    """Inspects the packets of one queue; as a context it gives the queue back."""

    def __init__(self, number: int, engine: Engine, kernel: Kernel, tally: Tally) -> None:
        self._engine = engine
        self._kernel = kernel
        self._tally = tally
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
        self._batch = _Batch(self._netlink, tally)

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

    def fileno(self) -> int:
        """The descriptor to watch for packets."""
        return self._netlink.fileno()

    def read(self) -> None:
        """Inspect a batch of the packets that wait."""
        self._queue.run_socket(cast(socket.socket, self._batch.begin()))

    def _on_packet(self, packet: Packet) -> None:
        try:
            self._decide(packet)
        except Exception:
            self._tally.errors += 1
            log.exception("a packet was let through unchanged after a fault of ftpfw's own")
            packet.accept()

    def _decide(self, packet: Packet) -> None:
        walk = self._engine.inspect(
            packet.get_payload(),
            after_nat=packet.hook in HOOKS_AFTER_NAT,
            now=time.monotonic(),
        )
        verdict = drive(walk, self._kernel, self._note)
        self._tally.count(verdict)
        match verdict:
            case Drop():
                packet.drop()
            case Accept(packet=rebuilt):
                if rebuilt is not None:
                    packet.set_payload(rebuilt)
                packet.accept()

    def _note(self, note: Note) -> None:
        self._tally.note(note)
        if note.kind in TELLING:
            log.info("%s %s: %s %r", note.tuple, note.kind.value, note.reason, note.detail)
        else:
            log.debug("%s %s: %s", note.tuple, note.kind.value, note.reason)
