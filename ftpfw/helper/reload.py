"""SIGHUP: the policy file is read again, and sessions go on under what it says.

A policy that is wrong, or that changes what cannot change (see ``standing``), is refused:
the log has file, line and mend, status reports have them too, and the policy before
stays in force. It is told in the same way where a worker does not answer in time; SIGHUP
again then has all of them go by the newer one. A service manager hears RELOADING=1 and,
either way, READY=1. Log files need none of this: whoever writes one follows its name.
"""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from ftpfw.errors import FtpfwError
from ftpfw.helper.eventloop import EventLoop
from ftpfw.helper.notify import READY, notify, reloading
from ftpfw.helper.standing import Standing, require_takeable
from ftpfw.ruleset.policy import Backend, Policy

log = logging.getLogger(__name__)


class Reload:
    """Takes a newer policy, or says why not; ``standing`` is what is in force."""

    def __init__(
        self,
        policy: Policy,
        backend: Backend,
        reread: Callable[[], Policy],
        renew: Callable[[Policy], None],
    ) -> None:
        self.standing = Standing(policy, time.time())
        self._backend = backend
        self._reread = reread
        self._renew = renew

    def again(self) -> None:
        """Read the policy again, and have every worker go by it."""
        notify(reloading())
        try:
            fresh = self._reread()
            require_takeable(fresh, self.standing.policy, self._backend)
            self._renew(fresh)
        except FtpfwError as error:
            self.standing = replace(self.standing, refused=str(error))
            log.warning("the policy was read again and refused, the old one stays: %s", error)
        else:
            self.standing = Standing(fresh, time.time())
            log.info("the policy was read again and is in force: %s", fresh.source.file)
        notify(READY)


@contextmanager
def on_hangup(loop: EventLoop, call: Callable[[], object]) -> Iterator[None]:
    """Have SIGHUP call ``call`` in the loop; several at once are one."""
    woken, waker = socket.socketpair()
    with woken, waker:
        woken.setblocking(False)
        waker.setblocking(False)

        def wake(*_: object) -> None:
            with suppress(BlockingIOError):
                waker.send(b".")

        def heed() -> None:
            woken.recv(4096)
            call()

        loop.watch(woken.fileno(), heed)
        before = signal.signal(signal.SIGHUP, wake)
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before)
