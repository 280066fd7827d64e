"""The exchange over a netlink socket, with a scripted kernel on the other side."""

from __future__ import annotations

import errno
from collections import deque

import pytest

from ftpfw.conntrack.nfsocket import ATTEMPTS, NfSocket
from ftpfw.conntrack.nla import WireError
from ftpfw.conntrack.nlmsg import NLMSG_DONE, NLMSG_ERROR, Ack, Flag, pack_message

NEW = 0x100
LOST = OSError(errno.ENOBUFS, "lost")
NOTHING_CAME = BlockingIOError(errno.EAGAIN, "time is up")


class ScriptedKernel:
    """Answers each receive with the next line of its script."""

    def __init__(self, *script: bytes | OSError) -> None:
        self.script = deque(script)
        self.requests = 0

    def send(self, data: bytes, /) -> int:
        self.requests += 1
        return len(data)

    def recv(self, _size: int, /) -> bytes:
        line = self.script.popleft()
        if isinstance(line, OSError):
            raise line
        return line

    def close(self) -> None:
        self.script.clear()


def answer(seq: int, flags: int = 0) -> bytes:
    """A message whose payload is an nfgenmsg of family ``seq``."""
    return pack_message(NEW, flags, seq, seq)


def payload(seq: int) -> bytes:
    return bytes([seq, 0, 0, 0])


def ended(seq: int, error: int = 0, kind: int = NLMSG_ERROR) -> bytes:
    head = (20).to_bytes(4, "little") + kind.to_bytes(2, "little") + bytes(2)
    number = (-error).to_bytes(4, "little", signed=True)
    return head + seq.to_bytes(4, "little") + bytes(4) + number


def request(seq: int) -> bytes:
    return pack_message(NEW, Flag.REQUEST, 2, seq)


def test_answer_to_a_question() -> None:
    assert NfSocket(ScriptedKernel(answer(1))).ask(request) == payload(1)


def test_refusal_of_a_question() -> None:
    assert NfSocket(ScriptedKernel(ended(1, errno.ENOENT))).ask(request) == Ack(errno.ENOENT)


def test_late_answers_of_a_given_up_request_are_skipped() -> None:
    kernel = ScriptedKernel(NOTHING_CAME, answer(1), ended(1), answer(2))
    netlink = NfSocket(kernel)
    assert netlink.ask(request) == Ack(errno.ETIMEDOUT)
    assert netlink.ask(request) == payload(2)


def test_late_answer_in_the_same_datagram_is_skipped() -> None:
    netlink = NfSocket(ScriptedKernel(NOTHING_CAME, answer(1) + answer(2)))
    assert netlink.ask(request) == Ack(errno.ETIMEDOUT)
    assert netlink.ask(request) == payload(2)


def test_question_is_repeated_when_its_answer_was_lost() -> None:
    kernel = ScriptedKernel(LOST, LOST, answer(3))
    assert NfSocket(kernel).ask(request) == payload(3)
    assert kernel.requests == 3


def test_question_is_not_repeated_for_ever() -> None:
    kernel = ScriptedKernel(*[LOST] * ATTEMPTS)
    assert NfSocket(kernel).ask(request) == Ack(errno.ENOBUFS)
    assert kernel.requests == ATTEMPTS


def test_change_is_not_repeated_when_its_answer_was_lost() -> None:
    kernel = ScriptedKernel(LOST)
    assert NfSocket(kernel).change(request) == Ack(errno.ENOBUFS)
    assert kernel.requests == 1


def test_change_that_is_answered_with_data_is_refused() -> None:
    with pytest.raises(WireError, match="not an acknowledgement"):
        NfSocket(ScriptedKernel(answer(1))).change(request)


def test_dump_spans_datagrams() -> None:
    kernel = ScriptedKernel(answer(1) + answer(1), answer(1), ended(1, kind=NLMSG_DONE))
    assert NfSocket(kernel).dump(request) == [payload(1)] * 3


def test_dump_refused() -> None:
    assert NfSocket(ScriptedKernel(ended(1, errno.EPERM))).dump(request) == Ack(errno.EPERM)


def test_dump_that_fails_at_its_end() -> None:
    kernel = ScriptedKernel(answer(1), ended(1, errno.ENOMEM, NLMSG_DONE))
    assert NfSocket(kernel).dump(request) == Ack(errno.ENOMEM)


def test_dump_without_an_end_times_out() -> None:
    assert NfSocket(ScriptedKernel(answer(1), NOTHING_CAME)).dump(request) == Ack(errno.ETIMEDOUT)


INTERRUPTED = {
    "marked by the kernel": (answer(1, Flag.DUMP_INTR), ended(1, kind=NLMSG_DONE)),
    "part of it lost": (answer(1), LOST, ended(1, kind=NLMSG_DONE)),
}


@pytest.mark.parametrize("first", INTERRUPTED.values(), ids=INTERRUPTED.keys())
def test_interrupted_dump_is_read_to_its_end_and_repeated(
    first: tuple[bytes | OSError, ...],
) -> None:
    kernel = ScriptedKernel(*first, answer(2), ended(2, kind=NLMSG_DONE))
    assert NfSocket(kernel).dump(request) == [payload(2)]


def test_dump_that_is_always_interrupted_gives_up() -> None:
    script = [
        answer(seq, Flag.DUMP_INTR) + ended(seq, kind=NLMSG_DONE) for seq in range(1, ATTEMPTS + 1)
    ]
    assert NfSocket(ScriptedKernel(*script)).dump(request) == Ack(errno.EINTR)
