"""Ending a process: asked first, made to after a while, and awaited, by pidfd."""

from __future__ import annotations

import os
import selectors
import signal
from contextlib import closing


def end_process(pid: int, patience: float) -> None:
    """Send SIGTERM, and SIGKILL after ``patience`` seconds; return when the process is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with closing(selectors.DefaultSelector()) as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            if not selector.select(patience):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                selector.select(patience)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)
