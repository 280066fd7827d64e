"""ctnetlink: read conntracks, adjust sequence numbers, add and list expectations.

Spec: wire_conntrack and wire_expect (messages, packed by hand because they are sent per
packet: a GET takes tens of microseconds, through a general netlink library near a
millisecond), refusals (errors). Each call is one request and its answer on one socket; a
call that fails raises KernelError and has changed nothing, unless the error says
that this is unknown.
"""

from __future__ import annotations

import errno
from socket import AF_UNSPEC
from typing import Self

from ftpfw.conntrack.model import Conntrack, Direction, Expectation, SeqAdj, Tuple
from ftpfw.conntrack.nfsocket import NfSocket
from ftpfw.conntrack.nlmsg import Ack
from ftpfw.conntrack.refusals import Operation, refused
from ftpfw.conntrack.wire_conntrack import pack_get_conntrack, pack_set_seqadj, unpack_conntrack
from ftpfw.conntrack.wire_expect import (
    pack_delete_expectation,
    pack_list_expectations,
    pack_new_expectation,
    unpack_expectation,
)
from ftpfw.conntrack.wire_tuple import NotTcpError
from ftpfw.errors import KernelError


class Ctnetlink:
    """The conntrack table of the network namespace that it was opened in.

    Use it as a context manager, from one thread at a time.
    """

    def __init__(self) -> None:
        self._socket = NfSocket.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; expectations and adjustments stay in the kernel."""
        self._socket.close()

    def get(self, tuple_: Tuple, zone: int = 0) -> Conntrack | None:
        """The conntrack whose original or reply tuple is ``tuple_``; None if there is none."""
        answer = self._socket.ask(lambda seq: pack_get_conntrack(tuple_, zone, seq))
        if isinstance(answer, bytes):
            return unpack_conntrack(answer)
        if answer.errno == errno.ENOENT:
            return None
        raise _refused(Operation.GET_CONNTRACK, answer, tuple_)

    def set_seqadj(self, original: Tuple, direction: Direction, adj: SeqAdj, zone: int = 0) -> None:
        """Make the kernel shift one direction's sequence numbers, and the other's acks.

        ``original`` is the conntrack's original tuple. The kernel ignores the request
        without a word where the conntrack has no room for it (nfct_seqadj), so it is
        read back; KernelError EOPNOTSUPP where it was not taken.
        """
        ack = self._socket.change(lambda seq: pack_set_seqadj(original, zone, direction, adj, seq))
        _require_done(Operation.SET_SEQADJ, ack, original)
        conntrack = self.get(original, zone)
        if conntrack is None:
            raise refused(Operation.SET_SEQADJ, errno.ENOENT, original)
        if conntrack.seqadj[direction] != adj:
            raise refused(Operation.SET_SEQADJ, errno.EOPNOTSUPP, original)

    def add_expectation(self, exp: Expectation) -> None:
        """Have ``exp.tuple`` accepted as RELATED to ``exp.master`` from now on.

        The helper's policy sets how long it lives and how many its master may have: one
        too many evicts the oldest. KernelError EEXIST or EBUSY where another is in the way.
        """
        ack = self._socket.change(lambda seq: pack_new_expectation(exp, seq))
        _require_done(Operation.ADD_EXPECTATION, ack, exp.tuple)

    def delete_expectation(self, exp: Expectation) -> None:
        """Withdraw ``exp``; with ``exp.id`` 0, whichever expectation covers ``exp.tuple``."""
        ack = self._socket.change(lambda seq: pack_delete_expectation(exp, seq))
        _require_done(Operation.DELETE_EXPECTATION, ack, exp.tuple)

    def list_expectations(self, family: int = AF_UNSPEC) -> list[Expectation]:
        """The expectations of TCP connections, of one family or of both."""
        answer = self._socket.dump(lambda seq: pack_list_expectations(family, seq))
        if isinstance(answer, Ack):
            raise _refused(Operation.LIST_EXPECTATIONS, answer)
        return [exp for payload in answer if (exp := _unpack_if_tcp(payload)) is not None]


def _unpack_if_tcp(payload: bytes) -> Expectation | None:
    """The expectation, or None for those that other helpers make for other protocols."""
    try:
        return unpack_expectation(payload)
    except NotTcpError:
        return None


def _require_done(operation: Operation, ack: Ack, about: object) -> None:
    if ack.errno:
        raise _refused(operation, ack, about)


def _refused(operation: Operation, ack: Ack, about: object = "") -> KernelError:
    return refused(operation, ack.errno, about, ack.said)
