"""ctnetlink: read and change conntracks, add and list expectations.

Spec: wire_conntrack and wire_expect (messages, packed by hand because they are sent per
packet: a GET takes tens of microseconds, through a general netlink library near a
millisecond), refusals (errors). Each call is one request and its answer on one socket; a
call that fails raises KernelError and has changed nothing, unless the error says
that this is unknown.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import suppress
from socket import AF_UNSPEC
from typing import Self, TypeVar

from ftpfw.conntrack.model import (
    NO_STATUS,
    Conntrack,
    Direction,
    Expectation,
    SeqAdj,
    Status,
    Tuple,
)
from ftpfw.conntrack.nfsocket import NfSocket
from ftpfw.conntrack.nlmsg import Ack
from ftpfw.conntrack.refusals import Operation, refused
from ftpfw.conntrack.wire_conntrack import (
    Wanted,
    pack_get_conntrack,
    pack_list_conntracks,
    pack_set_mark,
    pack_set_seqadj,
    pack_set_timeout,
    unpack_conntrack,
)
from ftpfw.conntrack.wire_expect import (
    pack_delete_expectation,
    pack_list_expectations,
    pack_new_expectation,
    unpack_expectation,
)
from ftpfw.conntrack.wire_tuple import NotTcpError
from ftpfw.errors import KernelError

T = TypeVar("T")


class Ctnetlink:
    """One zone of the conntrack table of the network namespace that it was opened in.

    An expectation says itself in which zone its master is, and those of all zones are listed.
    Use it as a context manager, from one thread at a time.
    """

    def __init__(self, zone: int = 0) -> None:
        self._zone = zone
        self._socket = NfSocket.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; expectations and adjustments stay in the kernel."""
        self._socket.close()

    def get(self, tuple_: Tuple) -> Conntrack | None:
        """The conntrack whose original or reply tuple is ``tuple_``; None if there is none."""
        answer = self._socket.ask(lambda seq: pack_get_conntrack(tuple_, self._zone, seq))
        if isinstance(answer, bytes):
            return unpack_conntrack(answer)
        if answer.errno == errno.ENOENT:
            return None
        raise _refused(Operation.GET_CONNTRACK, answer, tuple_)

    def list_conntracks(
        self, family: int = AF_UNSPEC, *, mark: int = 0, mask: int = 0, status: Status = NO_STATUS
    ) -> list[Conntrack]:
        """The TCP connections of the zone whose mark under ``mask`` is ``mark``.

        Every bit of ``status`` is set in theirs.
        """
        wanted = Wanted(family, self._zone, mark, mask, status)
        answer = self._socket.dump(lambda seq: pack_list_conntracks(wanted, seq))
        if isinstance(answer, Ack):
            raise _refused(Operation.LIST_CONNTRACKS, answer)
        return [one for one in _those_of_tcp(unpack_conntrack, answer) if one in wanted]

    def set_mark(self, original: Tuple, mark: int, mask: int) -> None:
        """Set the bits ``mask`` of a connection's mark to those of ``mark``.

        ``original`` is the conntrack's original tuple, here and below.
        """
        ack = self._socket.change(lambda seq: pack_set_mark(original, self._zone, mark, mask, seq))
        _require_done(Operation.SET_MARK, ack, original)

    def set_timeout(self, original: Tuple, seconds: int) -> None:
        """Let a conntrack live so long from now; its next packet sets the time anew."""
        ack = self._socket.change(lambda seq: pack_set_timeout(original, self._zone, seconds, seq))
        _require_done(Operation.SET_TIMEOUT, ack, original)

    def set_seqadj(self, original: Tuple, direction: Direction, adj: SeqAdj) -> None:
        """Make the kernel shift one direction's sequence numbers, and the other's acks.

        The kernel ignores the request without a word where the conntrack has no room for
        it (nfct_seqadj), so it is read back; KernelError EOPNOTSUPP where it was not taken.
        """
        ack = self._socket.change(
            lambda seq: pack_set_seqadj(original, self._zone, direction, adj, seq)
        )
        _require_done(Operation.SET_SEQADJ, ack, original)
        conntrack = self.get(original)
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
        return list(_those_of_tcp(unpack_expectation, answer))


def _those_of_tcp(unpack: Callable[[bytes], T], payloads: list[bytes]) -> Iterator[T]:
    """What ``payloads`` tell, without what is about other protocols."""
    for payload in payloads:
        with suppress(NotTcpError):
            yield unpack(payload)


def _require_done(operation: Operation, ack: Ack, about: object) -> None:
    if ack.errno:
        raise _refused(operation, ack, about)


def _refused(operation: Operation, ack: Ack, about: object = "") -> KernelError:
    return refused(operation, ack.errno, about, ack.said)
