"""Joins what a control connection says of a transfer with its data connection (pure).

    control   Transfer, when it is asked for and again when it is answered   (the engine)
    data      New, Update, Destroy of an expected connection                 (conntrack)

Either may come first: a passive client can connect before it sends RETR. A transfer is
over when it has been answered and its data connection has ended. Where one of them never
comes, it is over without: the answer when the control connection is gone, the data
connection a moment after an answer (550 opens none).

A data connection belongs to the control connection that is its master, and to the
transfer that expected its tuple. What is remembered is bounded: past `CONTROLS`, the
control connection longest known is forgotten, and what it still waited for is told as it is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ftpfw.conntrack.model import Conntrack, TcpState, Tuple
from ftpfw.conntrack.wire_event import ConntrackEvent, Destroy, New, Update
from ftpfw.helper.commands import Transfer
from ftpfw.helper.lifetime import goes_on, may_carry

CONTROLS = 8192
ASKED = 32
"""Unanswered transfers remembered for one control connection: a client may pipeline."""

FREE = 8
"""Data connections of one control connection that no transfer has asked for yet."""

GRACE = 1.0
"""Seconds that events may be late: those of data connections come by another way than lines."""

LINGER = 60.0
"""Seconds after the answer that a data connection may take to end."""

Look: TypeAlias = Callable[[Tuple], Conntrack | None]
"""Reads an entry from the kernel by one of its tuples, as it is now."""

_BOTH_HAVE_ENDED = frozenset({TcpState.LAST_ACK, TcpState.TIME_WAIT})


@dataclass(frozen=True, slots=True)
class Record:
    """A transfer that is over.

    ``control`` is None where the kernel had no entry for the control connection any more,
    ``data`` where no data connection came. ``started`` and ``ended`` are of the data
    connection, or of asking and the end of waiting where there was none; in seconds, of the
    clock by which the `Join` was told. ``in_order``: both sides said that they were done.
    """

    transfer: Transfer
    control: Conntrack | None
    data: Conntrack | None
    started: float
    ended: float
    in_order: bool


@dataclass(slots=True)
class _Data:
    """A data connection, and the control connection that it belongs to."""

    conntrack: Conntrack
    master: Tuple
    began: float
    ended: float | None = None
    in_order: bool = False


@dataclass(slots=True)
class _Asked:
    """A transfer that is under way; ``gone`` is when the control connection was missed."""

    transfer: Transfer
    since: float
    data: _Data | None
    answered: float | None = None
    gone: float | None = None

    def record(self, control: Conntrack | None, now: float) -> Record:
        data = self.data
        if data is None:
            return Record(self.transfer, control, None, self.since, now, in_order=False)
        ended = now if data.ended is None else data.ended
        return Record(self.transfer, control, data.conntrack, data.began, ended, data.in_order)

    def is_over(self, now: float) -> bool:
        if self.answered is None:
            return self.gone is not None and now - self.gone >= GRACE
        if self.data is None:
            return self.transfer.data is None or now - self.answered >= GRACE
        return self.data.ended is not None

    def waits_for_answer_only(self) -> bool:
        return self.answered is None and (self.data is None or self.data.ended is not None)

    def lingers(self, now: float) -> bool:
        return self.answered is not None and now - self.answered >= LINGER


@dataclass(slots=True)
class _Control:
    """A control connection: its transfers by number, and data connections of none of them."""

    conntrack: Conntrack | None = None
    asked: dict[int, _Asked] = field(default_factory=dict)
    free: list[_Data] = field(default_factory=list)


class Join:
    """Takes both sides of transfers, returns those that are over.

    Times are of any steady clock, in seconds. ``look`` is asked for control connections when
    they are first heard of, and for data connections when they have ended, for the counters.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._controls: OrderedDict[Tuple, _Control] = OrderedDict()
        self._data: dict[int, _Data] = {}

    def waits(self) -> bool:
        """Whether a transfer is under way, so that time can end it (see `expire`)."""
        return any(control.asked for control in self._controls.values())

    def tell(self, transfer: Transfer, now: float) -> list[Record]:
        """Take what a control connection says; the transfers that are over by it."""
        over = self._make_room(transfer.control, now)
        control = self._controls.setdefault(transfer.control, _Control())
        if control.conntrack is None:
            control.conntrack = self._look(transfer.control)
        asked = control.asked.get(transfer.number)
        if asked is None or transfer.reply is None:
            over += self._give_up(control, transfer.number, now)
            asked = _Asked(transfer, now, _take(control.free, transfer))
            control.asked[transfer.number] = asked
        if transfer.reply is not None:
            asked.transfer, asked.answered = transfer, now
        return over + self._settle(transfer.control, now)

    def see(self, event: ConntrackEvent, now: float) -> list[Record]:
        """Take what conntrack tells of a data connection; the transfers that are over by it."""
        conntrack = event.conntrack
        match event:
            case New():
                return self._begin(conntrack, now)
            case Update():
                self._note_order(conntrack)
                return [] if may_carry(conntrack) else self._end(conntrack, now)
            case Destroy():
                over = self._end(conntrack, now)
                self._forget(conntrack.id)
                return over

    def resynchronise(self, living: list[Conntrack], now: float) -> list[Record]:
        """Take the list of all data connections instead of events that were lost."""
        here = {data.id for data in living}
        over = []
        for data in living:
            over += self._begin(data, now) if may_carry(data) else self._end(data, now)
        for id_ in self._data.keys() - here:
            over += self._end(self._data[id_].conntrack, now)
            self._forget(id_)
        return over

    def expire(self, now: float) -> list[Record]:
        """The transfers that are over because something never came."""
        over = []
        for tuple_, control in list(self._controls.items()):
            if any(asked.waits_for_answer_only() for asked in control.asked.values()):
                self._look_for(tuple_, control, now)
            for asked in list(control.asked.values()):
                if asked.data is not None and asked.lingers(now):
                    over += self._end(asked.data.conntrack, now)
            over += self._settle(tuple_, now)
        return over

    def _begin(self, data: Conntrack, now: float) -> list[Record]:
        if data.master is None or data.id in self._data:
            return []
        over = self._make_room(data.master, now)
        control = self._controls.setdefault(data.master, _Control())
        known = self._data[data.id] = _Data(data, data.master, now)
        for asked in control.asked.values():
            if asked.data is None and _fits(asked.transfer, data):
                asked.data = known
                return over
        control.free.append(known)
        if len(control.free) > FREE:
            self._data.pop(control.free.pop(0).conntrack.id)
        return over

    def _note_order(self, data: Conntrack) -> None:
        if data.id in self._data and data.tcp_state in _BOTH_HAVE_ENDED:
            self._data[data.id].in_order = True

    def _end(self, data: Conntrack, now: float) -> list[Record]:
        known = self._data.get(data.id)
        if known is None or known.ended is not None:
            return []
        self._note_order(data)
        known.ended = now
        known.conntrack = self._latest(data)
        return self._settle(known.master, now)

    def _latest(self, data: Conntrack) -> Conntrack:
        """The entry with its counters, which an Update does not tell and a Destroy does."""
        found = None if data.counters else self._look(data.original)
        return data if found is None or found.id != data.id else found

    def _forget(self, id_: int) -> None:
        """An entry is gone from the kernel; a transfer that has it keeps it."""
        known = self._data.pop(id_, None)
        if known is None or known.master not in self._controls:
            return
        control = self._controls[known.master]
        control.free = [data for data in control.free if data is not known]
        self._drop_if_idle(known.master)

    def _look_for(self, tuple_: Tuple, control: _Control, now: float) -> None:
        """Note when a control connection is found to be gone, or another's."""
        found = self._look(tuple_)
        known = control.conntrack
        if found is not None and goes_on(found) and (known is None or found.id == known.id):
            return
        for asked in control.asked.values():
            asked.gone = now if asked.gone is None else asked.gone

    def _settle(self, tuple_: Tuple, now: float) -> list[Record]:
        """Take the transfers of a control connection that are over."""
        control = self._controls.get(tuple_)
        if control is None:
            return []
        numbers = [number for number, asked in control.asked.items() if asked.is_over(now)]
        over = [control.asked.pop(n).record(control.conntrack, now) for n in numbers]
        self._drop_if_idle(tuple_)
        return over

    def _drop_if_idle(self, tuple_: Tuple) -> None:
        control = self._controls[tuple_]
        if not control.asked and not control.free:
            del self._controls[tuple_]

    def _give_up(self, control: _Control, number: int, now: float) -> list[Record]:
        """Give up a transfer whose number comes anew, and the oldest beyond `ASKED`."""
        stale = [number] if number in control.asked else []
        if not stale and len(control.asked) == ASKED:
            stale = [next(iter(control.asked))]
        return [control.asked.pop(one).record(control.conntrack, now) for one in stale]

    def _make_room(self, tuple_: Tuple, now: float) -> list[Record]:
        if tuple_ in self._controls or len(self._controls) < CONTROLS:
            return []
        _, stale = self._controls.popitem(last=False)
        for data in _all_data(stale):
            self._data.pop(data.conntrack.id, None)
        return [asked.record(stale.conntrack, now) for asked in stale.asked.values()]


def _fits(transfer: Transfer, data: Conntrack) -> bool:
    """Whether a data connection is one that a transfer expects, from whatever port."""
    expected, came = transfer.data, data.original
    return expected is not None and (expected.src, expected.dst, expected.dport) == (
        came.src,
        came.dst,
        came.dport,
    )


def _take(free: list[_Data], transfer: Transfer) -> _Data | None:
    """The latest data connection that fits: the one before it was not used."""
    for index in reversed(range(len(free))):
        if _fits(transfer, free[index].conntrack):
            return free.pop(index)
    return None


def _all_data(control: _Control) -> Iterator[_Data]:
    yield from control.free
    for asked in control.asked.values():
        if asked.data is not None:
            yield asked.data
