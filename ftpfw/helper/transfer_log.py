"""The transfer log: a line for every transfer, with what conntrack counted of it.

`transfers` says what makes a transfer of lines and events, `transfer_lines` how it is written
down. The engine's thread only hands over what it has read; joining and writing are the
loop's, so neither a slow disk nor a full one stops a packet. What is handed over while a disk
hangs is bounded: past `BACKLOG`, it is lost and counted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.events import ConntrackEvents
from ftpfw.conntrack.model import Conntrack, Status, Tuple
from ftpfw.conntrack.wire_event import Destroy, Group, Lost, New, Update
from ftpfw.errors import FtpfwError
from ftpfw.helper.commands import Transfer
from ftpfw.helper.eventloop import EventLoop
from ftpfw.helper.transfer_file import TransferFile
from ftpfw.helper.transfer_lines import format_json, format_xferlog
from ftpfw.helper.transfers import GRACE, Join, Record
from ftpfw.ruleset.policy import Helper

log = logging.getLogger(__name__)

GROUPS = (Group.NEW, Group.UPDATE, Group.DESTROY)

BACKLOG = 8192
"""Words of control connections that may wait for the loop, some kilobytes each at the most."""

UNCOUNTED = (
    "the transfer log has no packets and bytes, because conntrack does not count them"
    " (sysctl -w net.netfilter.nf_conntrack_acct=1, for connections that begin then)"
)


class _Observer:
    """Hands over the transfers of one zone that are over, in the loop."""

    def __init__(self, zone: int, loop: EventLoop, take: Callable[[Record], None]) -> None:
        self._zone = zone
        self._loop = loop
        self._take = take
        self._due = False
        self._join = Join(self._look)
        self._kernel = Ctnetlink(zone)
        self._events = ConntrackEvents(GROUPS)
        loop.watch(self._events.fileno(), self._listen)
        self._resynchronise()

    def close(self) -> None:
        """Stop listening; what is under way is not told any more. The loop has ended."""
        self._events.close()
        self._kernel.close()

    def tell(self, transfer: Transfer, said: float) -> None:
        """Take what a control connection has said, and when."""
        self._hand_over(self._join.tell(transfer, said))

    def _listen(self) -> None:
        try:
            for event in self._events.read():
                match event:
                    case New() | Update() | Destroy() if event.conntrack.zone == self._zone:
                        self._hand_over(self._join.see(event, time.monotonic()))
                    case Lost():
                        self._resynchronise()
        except FtpfwError:
            log.exception("some transfers may be logged without their data connection")

    def _resynchronise(self) -> None:
        living = self._kernel.list_conntracks(status=Status.EXPECTED)
        self._hand_over(self._join.resynchronise(living, time.monotonic()))

    def _look(self, tuple_: Tuple) -> Conntrack | None:
        try:
            return self._kernel.get(tuple_)
        except FtpfwError as error:
            log.warning("a transfer is logged without what the kernel knows of it: %s", error)
            return None

    def _hand_over(self, over: Iterable[Record]) -> None:
        for record in over:
            self._take(record)
        if not self._due and self._join.waits():
            self._due = True
            self._loop.after(GRACE, self._expire)

    def _expire(self) -> None:
        self._due = False
        self._hand_over(self._join.expire(time.monotonic()))


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files that are written, where a policy names them."""

    json: TransferFile | None
    xferlog: TransferFile | None

    def files(self) -> list[TransferFile]:
        """Those that there are."""
        return [file for file in (self.json, self.xferlog) if file is not None]

    def write(self, record: Record) -> None:
        """Write a transfer to each, in its form."""
        epoch = time.time() - time.monotonic()
        if self.json is not None:
            self.json.append(format_json(record, epoch))
        if self.xferlog is not None:
            line = format_xferlog(record, time.localtime(epoch + record.ended))
            if line is not None:
                self.xferlog.append(line)


class TransferLog:
    """Logs the transfers of one worker's flows; nothing where no file is to be written."""

    def __init__(self, outputs: Outputs, zone: int, loop: EventLoop) -> None:
        self._outputs = outputs
        self._loop = loop
        self._observer = _Observer(zone, loop, self._write) if outputs.files() else None
        self._uncounted = False
        # The engine's thread writes the first two of these, the loop the last.
        self._noted = self._left_out = self._told = 0

    def note(self, transfer: Transfer) -> None:
        """Take what a control connection says, in the engine's thread."""
        if self._observer is None:
            return
        if self._noted - self._told >= BACKLOG:
            if not self._left_out:
                log.error("some transfers are not logged: %d lines wait to be written", BACKLOG)
            self._left_out += 1
            return
        self._noted += 1
        # Its own time: a busy loop may hear of it after the data connection that follows.
        self._loop.after(0, partial(self._tell, self._observer, transfer, time.monotonic()))

    def report(self) -> dict[str, int]:
        """How many lines were written, and how many could not be."""
        files = self._outputs.files()
        return {
            "written": sum(file.written for file in files),
            "lost": self._left_out + sum(file.lost for file in files),
        }

    def close(self) -> None:
        """Log no more; the loop has ended."""
        if self._observer is not None:
            self._observer.close()

    def _tell(self, observer: _Observer, transfer: Transfer, said: float) -> None:
        self._told += 1
        observer.tell(transfer, said)

    def _write(self, record: Record) -> None:
        if record.data is not None and record.data.counters is None and not self._uncounted:
            self._uncounted = True
            log.warning(UNCOUNTED)
        self._outputs.write(record)


@contextmanager
def transfer_log(helper: Helper, zone: int, loop: EventLoop) -> Iterator[TransferLog]:
    """A log of what ``helper`` wants logged, perhaps nothing; HostError where it cannot be."""
    with ExitStack() as stack:

        def opened(path: str | None) -> TransferFile | None:
            return stack.enter_context(closing(TransferFile(path))) if path else None

        outputs = Outputs(opened(helper.transfer_log), opened(helper.xferlog))
        yield stack.enter_context(closing(TransferLog(outputs, zone, loop)))
