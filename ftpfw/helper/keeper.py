"""Keeps control connections in conntrack while their data connections live.

Driven by conntrack's events, of which only the beginning of data connections is listened
to. What has begun is looked at a second later, all of that second together: a busy gateway
wakes nobody more often, and most data connections have ended by then. The control
connection of one that has not is looked at as often as `lifetime` says, until no data
connection of its own lives. That an end is seen by looking, not told, also covers
connections whose events the kernel does not make (see `ftpfw.conntrack.events`). What lives
when the keeper starts is adopted from a dump.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.events import ConntrackEvents
from ftpfw.conntrack.model import Conntrack, Status, Tuple
from ftpfw.conntrack.wire_event import Group, Lost, New
from ftpfw.errors import FtpfwError
from ftpfw.helper.eventloop import EventLoop
from ftpfw.helper.lifetime import goes_on, look, may_carry

log = logging.getLogger(__name__)

FIRST_LOOK = 1.0
"""Seconds: no timeout of control connections is as short."""

RETRY = 10.0
"""Seconds to the next attempt where the kernel has refused one."""


@dataclass(slots=True)
class _Kept:
    """A control connection: its data connections by their ids, and its full time to live."""

    data: dict[int, Tuple] = field(default_factory=dict)
    full: int = 0


class Keeper:
    """Prolongs the control connections of one zone that have ``helper`` attached."""

    def __init__(
        self, helper: str, zone: int, kernel: Ctnetlink, events: ConntrackEvents, loop: EventLoop
    ) -> None:
        self._helper = helper
        self._zone = zone
        self._kernel = kernel
        self._events = events
        self._loop = loop
        self._kept: dict[Tuple, _Kept] = {}

    def adopt(self) -> None:
        """Care for every data connection that there is."""
        self._care_for(self._kernel.list_conntracks(status=Status.EXPECTED))

    def watch(self) -> None:
        """Await the next data connection."""
        self._loop.watch(self._events.fileno(), self._wait_for_more)

    def _wait_for_more(self) -> None:
        self._loop.unwatch(self._events.fileno())
        self._loop.after(FIRST_LOOK, self._read)

    def _read(self) -> None:
        begun = []
        try:
            for event in self._events.read():
                match event:
                    case New(conntrack=data):
                        begun.append(data)
                    case Lost():
                        self.adopt()
        except FtpfwError:
            log.exception("some long transfer may lose its control connection")
        self._care_for(begun)
        self.watch()

    def _care_for(self, begun: list[Conntrack]) -> None:
        """Look at the control connections of these data connections, those of our zone."""
        fresh = []
        for data in begun:
            if data.master is None or data.zone != self._zone:
                continue
            if data.master not in self._kept:
                self._kept[data.master] = _Kept()
                fresh.append(data.master)
            self._kept[data.master].data[data.id] = data.original
        for master in fresh:
            self._look(master)

    def _look(self, master: Tuple) -> None:
        try:
            pause = self._refresh(master, self._kept[master])
        except FtpfwError as error:
            log.warning("a long transfer may lose its control connection %s: %s", master, error)
            pause = RETRY
        if pause is None:
            del self._kept[master]
        else:
            self._loop.after(pause, partial(self._look, master))

    def _refresh(self, master: Tuple, kept: _Kept) -> float | None:
        """Give the control connection time, if it needs it; the pause until the next look.

        None where there is nothing to wait for any more.
        """
        kept.data = {id_: one for id_, one in kept.data.items() if self._lives(id_, one)}
        control = self._kernel.get(master) if kept.data else None
        if control is None or control.helper != self._helper or not goes_on(control):
            return None
        found = look(control.timeout, kept.full)
        kept.full = found.full
        if found.refresh:
            self._kernel.set_timeout(control.original, found.full)
        return found.pause

    def _lives(self, id_: int, original: Tuple) -> bool:
        data = self._kernel.get(original)
        return data is not None and data.id == id_ and may_carry(data)


@contextmanager
def keeping(helper: str, zone: int, loop: EventLoop) -> Iterator[None]:
    """Keep the control connections of ``helper`` as long as the loop runs."""
    # Listen first: what begins after the dump is an event.
    with ConntrackEvents([Group.NEW]) as events, Ctnetlink(zone) as kernel:
        keeper = Keeper(helper, zone, kernel, events, loop)
        keeper.adopt()
        keeper.watch()
        yield
