"""Netlink decoders: any bytes give a value of the model or a WireError, nothing else.

An expectation and a helper's registration that were read, packed and read again are the same.
The socket's exchanges end, whatever a kernel answers, in an answer, an Ack or a
WireError; every Ack can be told to the user.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from ftpfw.conntrack.cthelper_wire import pack_new_helper, unpack_helper
from ftpfw.conntrack.model import Direction
from ftpfw.conntrack.nfsocket import NfSocket
from ftpfw.conntrack.nla import WireError
from ftpfw.conntrack.nlmsg import Ack, pack_message, split_messages, unpack_ack
from ftpfw.conntrack.refusals import Operation, refused
from ftpfw.conntrack.wire_conntrack import unpack_conntrack
from ftpfw.conntrack.wire_expect import pack_new_expectation, unpack_expectation
from tests.fuzz.script import Script

U32 = range(1 << 32)


def fuzz(data: bytes) -> None:
    script = Script(data)
    law = script.pick(LAWS)
    with suppress(WireError):
        law(script)


def _datagram(script: Script) -> None:
    datagram = script.rest()
    messages = []
    try:
        for message in split_messages(datagram):
            messages.append(message)
            assert message.payload in datagram
    finally:
        for message in messages:
            with suppress(WireError):
                _require_told(unpack_ack(message))


def _conntrack(script: Script) -> None:
    conntrack = unpack_conntrack(script.rest())
    assert conntrack.id in U32
    assert conntrack.mark in U32
    for direction in Direction:
        tuple_ = conntrack.tuple(direction)
        assert len(tuple_.src) == len(tuple_.dst) in {4, 16}
        assert str(tuple_)


def _expectation(script: Script) -> None:
    known = unpack_expectation(script.rest())
    (message,) = split_messages(pack_new_expectation(known, 1))
    # The two that a new expectation does not carry; an empty name is none.
    sent = replace(known, helper=None, id=0, expectfn=known.expectfn or None)
    assert unpack_expectation(message.payload) == sent


def _registration(script: Script) -> None:
    known = unpack_helper(script.rest())
    (message,) = split_messages(pack_new_helper(known, 1, update=False))
    assert unpack_helper(message.payload) == known


class Answers:
    """A socket that receives what the script says, then nothing more."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def send(self, data: bytes) -> int:
        return len(data)

    def recv(self, size: int) -> bytes:
        if not self._script.goes_on:
            raise BlockingIOError(errno.EAGAIN, "SO_RCVTIMEO")
        if self._script.number() == errno.ENOBUFS:
            raise OSError(errno.ENOBUFS, "an answer was lost")
        return self._script.text()[:size]

    def close(self) -> None:
        pass


def _exchange(script: Script) -> None:
    for answer in _exchanges(NfSocket(Answers(script))):
        if isinstance(answer, Ack):
            _require_told(answer)


def _exchanges(nfsocket: NfSocket) -> Iterator[bytes | list[bytes] | Ack]:
    def request(seq: int) -> bytes:
        return pack_message(0x0101, 1, 2, seq)

    yield nfsocket.ask(request)
    yield nfsocket.dump(request)
    yield nfsocket.change(request)


def _require_told(ack: Ack) -> None:
    assert str(refused(Operation.ADD_EXPECTATION, ack.errno, "this", ack.said))


LAWS: tuple[Callable[[Script], None], ...] = (
    _datagram,
    _conntrack,
    _expectation,
    _registration,
    _exchange,
)
