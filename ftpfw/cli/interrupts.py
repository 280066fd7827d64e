"""Signals that would end a command in the middle of a change.

A change is either held together (``interrupts_deferred``) or undone by its own clean-up
(``interrupts_unwind``); nothing is left half done.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


class Interrupted(SystemExit):
    """A signal ended the command, after its clean-up."""


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Hold back signals that would end the process; they arrive at the end.

    Start no process meanwhile that is to live on: it would inherit the mask.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def interrupts_unwind() -> Iterator[None]:
    """Make the first signal an exception, and ignore the rest while its clean-up runs."""

    def unwind(number: int, _frame: FrameType | None) -> None:
        for each in INTERRUPTS:
            signal.signal(each, lambda *_: None)
        raise Interrupted(128 + number)

    before = {number: signal.signal(number, unwind) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
