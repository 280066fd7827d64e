"""The loop: descriptors, timers, and being told from another thread."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from threading import Event, Thread

import pytest

from ftpfw.errors import HostError
from ftpfw.helper.eventloop import EventLoop, beside, on_stop_signals

PATIENCE = 5.0


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    with closing(EventLoop()) as made:
        yield made


def test_timers_come_in_the_order_of_their_times(loop: EventLoop) -> None:
    called: list[str] = []
    loop.after(0.02, loop.stop)
    loop.after(0.01, lambda: called.append("second"))
    loop.after(0, lambda: called.append("first"))
    loop.run()
    assert called == ["first", "second"]


def test_timers_of_one_time_come_in_the_order_of_asking(loop: EventLoop) -> None:
    called: list[int] = []
    for number in range(20):
        loop.after(0, lambda number=number: called.append(number))  # type: ignore[misc]
    loop.after(0, loop.stop)
    loop.run()
    assert called == list(range(20))


def test_timer_that_sets_itself_anew_starves_no_descriptor(loop: EventLoop) -> None:
    ours, theirs = socket.socketpair()

    def again() -> None:
        loop.after(0, again)

    with ours, theirs:
        loop.watch(ours.fileno(), loop.stop)
        again()
        theirs.send(b".")
        loop.run()


def test_what_is_unwatched_is_not_called_though_it_was_ready(loop: EventLoop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def take(which: int) -> None:
        called.append(which)
        loop.unwatch(pairs[1 - which][0].fileno())
        pairs[1 - which][0].close()
        loop.stop()

    for which, (ours, theirs) in enumerate(pairs):
        loop.watch(ours.fileno(), partial(take, which))
        theirs.send(b".")
    loop.run()
    for pair in pairs:
        for one in pair:
            one.close()
    assert len(called) == 1


def test_another_thread_may_set_a_timer_while_the_loop_waits(loop: EventLoop) -> None:
    called = Event()
    with beside(loop):
        asking = Thread(target=lambda: loop.after(0, called.set))
        asking.start()
        asking.join()
        assert called.wait(PATIENCE)


def test_a_fault_in_a_loop_ends_what_runs_beside_it(loop: EventLoop) -> None:
    told = Event()

    def fail() -> None:
        raise HostError("a worker ended")

    loop.after(0, fail)
    with pytest.raises(HostError, match="a worker ended"), on_stop_signals(told.set), beside(loop):
        assert told.wait(PATIENCE)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_asking_never_blocks_though_nobody_runs_the_loop(loop: EventLoop) -> None:
    for _ in range(5000):  # more bytes than the waker's socket takes
        loop.after(-1, lambda: None)
        loop.stop()


def test_descriptor_that_is_watched_no_more_may_be_closed(loop: EventLoop) -> None:
    read, write = os.pipe()
    loop.watch(read, lambda: pytest.fail("watched no more"))
    loop.unwatch(read)
    os.write(write, b".")
    os.close(read)
    os.close(write)
    loop.after(0, loop.stop)
    loop.run()
