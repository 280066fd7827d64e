"""The queue's source of messages: waiting, being stopped, and overruns."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator

import pytest

from ftpfw.helper.queue import _Blocking, _Stopped
from ftpfw.helper.tally import Tally
from ftpfw.helper.watchdog import Pulse


class Script(socket.socket):
    """A socket whose recv(2) follows a script of messages, errors and actions."""

    def __init__(self, *steps: bytes | OSError | Callable[[], object]) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.steps: Iterator[bytes | OSError | Callable[[], object]] = iter(steps)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        step = next(self.steps)
        if isinstance(step, OSError):
            raise step
        if isinstance(step, bytes):
            return step
        step()
        raise InterruptedError(errno.EINTR, "the handler should have raised")


def test_an_overrun_is_counted_and_the_next_message_read() -> None:
    tally = Tally()
    with Script(OSError(errno.ENOBUFS, ""), OSError(errno.ENOBUFS, ""), b"packet") as netlink:
        assert _Blocking(netlink, tally, Pulse()).recv(4096) == b"packet"
    assert tally.overruns == 2


def test_the_socket_timeout_only_looks_whether_to_stop() -> None:
    with Script(BlockingIOError(errno.EAGAIN, ""), b"packet") as netlink:
        assert _Blocking(netlink, Tally(), Pulse()).recv(4096) == b"packet"


def test_another_error_is_not_swallowed() -> None:
    with Script(OSError(errno.EBADF, "")) as netlink, pytest.raises(OSError, match=r"EBADF|Bad|9"):
        _Blocking(netlink, Tally(), Pulse()).recv(4096)


def test_a_stop_while_waiting_ends_the_wait() -> None:
    def stop() -> None:
        source.stop()

    with Script(stop, b"packet") as netlink:
        source = _Blocking(netlink, Tally(), Pulse())
        with pytest.raises(_Stopped):
            source.recv(4096)


def test_a_stop_during_a_verdict_waits_for_it_and_ends_the_next_wait() -> None:
    with Script(b"packet") as netlink:
        source = _Blocking(netlink, Tally(), Pulse())
        source.stop()
        with pytest.raises(_Stopped):
            source.recv(4096)
