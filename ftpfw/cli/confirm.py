"""Asking whether to keep a change that may have cut the very line one asks over.

Anything but a yes in time is a no: another answer, the end of the input, SIGHUP because
the terminal is gone, SIGINT, SIGTERM. Signals are held back around the change itself,
and let through only while the question stands.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ftpfw.cli.interrupts import INTERRUPTS


def confirmed(question: str, seconds: int) -> bool:
    """Ask on the terminal; True if the answer within ``seconds`` is yes.

    To be called within ``interrupts_deferred``.
    """
    with _interrupts_readable() as interrupt:
        try:
            click.echo(f"{question} [y/N] (no answer within {seconds} s means no) ", nl=False)
            terminal = sys.stdin.fileno()
            ready, _, _ = select.select([terminal, interrupt], [], [], seconds)
            if ready != [terminal]:
                return False
            return os.read(terminal, 100).strip().lower() in {b"y", b"yes"}
        except OSError:  # the terminal is gone
            return False


@contextmanager
def _interrupts_readable() -> Iterator[int]:
    """A descriptor that becomes readable when one of INTERRUPTS arrives."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    wakeup = signal.set_wakeup_fd(writable)
    handlers = [signal.signal(number, _do_nothing) for number in INTERRUPTS]
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
    try:
        yield readable
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
        for number, handler in zip(INTERRUPTS, handlers, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        os.close(readable)
        os.close(writable)


def _do_nothing(*_: object) -> None:
    """Python writes the signal's number to the wakeup descriptor; that is all it takes."""
