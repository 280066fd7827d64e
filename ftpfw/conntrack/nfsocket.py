"""One netfilter netlink socket, and the three exchanges over it: ask, change, dump.

Spec: netlink(7). The socket belongs to the network namespace of the thread that opened
it, whichever thread uses it later. It joins no group, so all that comes are answers;
one whose sequence number is not the request's belongs to an earlier request that was
given up, and is skipped. No wait is endless: SO_RCVTIMEO bounds each receive (a
timeout of Python's own would cost a poll(2) for each), and the answer to an exchange is
ETIMEDOUT after that. Not safe to share between threads.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from itertools import count
from struct import pack
from typing import Protocol, Self

from ftpfw.conntrack.nla import WireError
from ftpfw.conntrack.nlmsg import (
    NLMSG_DONE,
    NLMSG_ERROR,
    Ack,
    Flag,
    Message,
    split_messages,
    unpack_ack,
)
from ftpfw.conntrack.refusals import Operation, refused

Request = Callable[[int], bytes]  # packs a request with the given sequence number

NETLINK_NETFILTER = 12
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
ANSWER_SECONDS = 2
ATTEMPTS = 5
DATAGRAM = 1 << 16  # more than the kernel puts in one (NLMSG_GOODSIZE, 32 KiB for dumps)


class RawSocket(Protocol):
    """What is used of a socket."""

    def send(self, data: bytes, /) -> int:
        """As socket.send."""

    def recv(self, size: int, /) -> bytes:
        """As socket.recv."""

    def close(self) -> None:
        """As socket.close."""


class NfSocket:
    """Sends requests and returns what the kernel answers; how it refuses is an Ack too."""

    def __init__(self, raw: RawSocket) -> None:
        self._raw = raw
        self._seqs = count(1)

    @classmethod
    def open(cls) -> Self:
        """A socket in the current network namespace; KernelError where there can be none."""
        try:
            raw = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        except OSError as error:
            raise refused(Operation.OPEN, error.errno or 0) from error
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, pack("@ll", ANSWER_SECONDS, 0))
        raw.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        raw.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        return cls(raw)

    def close(self) -> None:
        """Close the socket; what it did in the kernel stays."""
        self._raw.close()

    def ask(self, request: Request) -> bytes | Ack:
        """The payload of the one answer, or how the kernel refused.

        A question whose answer was lost (ENOBUFS) is asked again.
        """
        for _ in range(ATTEMPTS):
            answer = self._exchange(request)
            if isinstance(answer, bytes) or answer.errno != errno.ENOBUFS:
                break
        return answer

    def change(self, request: Request) -> Ack:
        """How a request with NLM_F_ACK ended.

        Sent once only: done twice it could fail, or do something else, the second time.
        """
        answer = self._exchange(request)
        if isinstance(answer, bytes):
            raise WireError("the kernel answered a change with data, not an acknowledgement")
        return answer

    def dump(self, request: Request) -> list[bytes] | Ack:
        """The payloads of a dump; read again when the kernel says that it changed meanwhile."""
        for _ in range(ATTEMPTS):
            seq = next(self._seqs)
            try:
                self._raw.send(request(seq))
                outcome = self._read_dump(seq)
            except OSError as error:
                return Ack(_errno_of(error))
            if outcome is not None:
                return outcome
        return Ack(errno.EINTR)

    def _exchange(self, request: Request) -> bytes | Ack:
        seq = next(self._seqs)
        try:
            self._raw.send(request(seq))
            message = self._first_answer(seq)
        except OSError as error:
            return Ack(_errno_of(error))
        return unpack_ack(message) if message.type == NLMSG_ERROR else message.payload

    def _first_answer(self, seq: int) -> Message:
        while True:
            for message in split_messages(self._raw.recv(DATAGRAM)):
                if message.seq == seq:
                    return message

    def _read_dump(self, seq: int) -> list[bytes] | Ack | None:
        """One dump to its end, which leaves the socket free for the next; None if inconsistent."""
        payloads: list[bytes] = []
        consistent = True
        while True:
            try:
                datagram = self._raw.recv(DATAGRAM)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                consistent = False
                continue
            for message in split_messages(datagram):
                if message.seq != seq:
                    continue
                consistent = consistent and not message.flags & Flag.DUMP_INTR
                if message.type in (NLMSG_ERROR, NLMSG_DONE):
                    ack = unpack_ack(message)
                    return ack if ack.errno else payloads if consistent else None
                payloads.append(message.payload)


def _errno_of(error: OSError) -> int:
    """The errno of a failed send or receive; SO_RCVTIMEO says EAGAIN when the time is up."""
    return errno.ETIMEDOUT if isinstance(error, BlockingIOError) else error.errno or 0
