"""Explicit FTPS: control connections that have turned to TLS, and the data they may open.

Spec: RFC 4217 (AUTH, CCC), RFC 2228 3. Once AUTH is answered by 234 nothing more can be read, so
the connection gets a connmark by which the rules no longer queue it, and which outlives this
process. What it negotiates is not seen; where the policy gives a published server's passive
ports, the rules bring every SYN to one of them here ahead of conntrack. If a marked control
connection lives between the same two addresses, that very SYN is expected, and becomes RELATED.

The SYN itself always passes: what is not expected meets the default drop. A segment that looks
like clear text ends the opaque phase (CCC): the mark is cleared, and reading begins anew.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from ftpfw.conntrack.model import Conntrack, Direction, TcpState, Tuple
from ftpfw.errors import KernelError, errno_name
from ftpfw.helper.commands import (
    AddExpectation,
    Command,
    FindMarked,
    GetConntrack,
    Note,
    NoteKind,
    Outcome,
    SetMark,
)
from ftpfw.helper.expecting import CLASHES, expected
from ftpfw.helper.flow import Flow, FlowTable
from ftpfw.helper.ledger import Ledger
from ftpfw.helper.settings import PassiveRange, Settings
from ftpfw.tcp.segment import Segment

LOOKUPS = 20.0
"""Times a second that the kernel's whole table may be searched for strangers' SYNs."""

_WHOLE_PORT = 0xFFFF


def turn_opaque(flows: FlowTable, flow: Flow, mark: int) -> Generator[Command, Outcome, None]:
    """AUTH was answered by 234: from here on the flow is TLS."""
    flows.turn_opaque(flow)
    yield SetMark(flow.conntrack.original, mark, mark)
    yield Note(NoteKind.OPAQUE, "AUTH accepted", flow.conntrack.original)


def turn_clear(flow: Flow, mark: int) -> Generator[Command, Outcome, bool]:
    """Clear text was seen; False where the kernel keeps the mark, and the flow stays opaque."""
    refusal = yield SetMark(flow.conntrack.original, 0, mark)
    if isinstance(refusal, KernelError):
        return False
    yield Note(NoteKind.OPAQUE, "clear text again", flow.conntrack.original)
    return True


class Doorkeeper:
    """Answers SYNs to the passive ports of servers that speak FTPS."""

    def __init__(self, helper: str, flows: FlowTable, ledger: Ledger) -> None:
        self._helper = helper
        self._flows = flows
        self._ledger = ledger
        self._lookups = LOOKUPS
        self._since = 0.0

    def knock(
        self, segment: Segment, settings: Settings, now: float
    ) -> Generator[Command, Outcome, bool]:
        """Expect a SYN if a control connection vouches for it; False if it is for no such port."""
        server = _server(segment, settings)
        if server is None:
            return False
        data = Tuple(segment.src, segment.sport, segment.dst, segment.dport)
        control = yield from self._control(data, server, settings.mark, now)
        if control is not None:
            yield from _expect(control, data)
        return True

    def _control(
        self, data: Tuple, server: PassiveRange, mark: int, now: float
    ) -> Generator[Command, Outcome, Conntrack | None]:
        """A marked control connection between the two, or None.

        One of our own is asked first: the ledger does not see an expectation used up, and
        a server gives the same passive port again.
        """
        for flow in self._flows.opaque_between(data.src, data.dst):
            if flow.key[3] != server.port:
                continue
            known = yield GetConntrack(flow.conntrack.original)
            if isinstance(known, Conntrack) and self._vouches(known, server, mark):
                return known
            # Closing, or closed: it does not come back, and must not be asked for every SYN.
            self._flows.forget(flow)
        if self._ledger.use(data, now):
            return None  # negotiated in clear text, as far as is known here: its expectation waits
        if not self._may_look_up(now):
            yield Note(NoteKind.KNOCK, "too many lookups", data)
            return None
        found = yield FindMarked(data.src, data.dst, server.port, mark)
        if isinstance(found, Conntrack) and self._vouches(found, server, mark):
            # Another worker's, or from before a restart: the next SYN finds it here.
            self._flows.turn_opaque(self._flows.add(found, now))
            return found
        yield Note(NoteKind.KNOCK, "no control connection under TLS", data)
        return None

    def _vouches(self, control: Conntrack, server: PassiveRange, mark: int) -> bool:
        return (
            control.mark & mark == mark
            and control.helper == self._helper
            and control.original.dport == server.port
            and control.tcp_state in (None, TcpState.ESTABLISHED)
        )

    def _may_look_up(self, now: float) -> bool:
        """Spend one lookup; they come back at their rate, and no more than a second's are saved."""
        self._lookups = min(LOOKUPS, self._lookups + (now - self._since) * LOOKUPS)
        self._since = now
        if self._lookups < 1:
            return False
        self._lookups -= 1
        return True


def _server(segment: Segment, settings: Settings) -> PassiveRange | None:
    """The published server whose passive port a SYN is for."""
    for server in settings.passive:
        if server.public == segment.dst and segment.dport in server.ports:
            return server
    return None


def _expect(control: Conntrack, data: Tuple) -> Generator[Command, Outcome, None]:
    """Expect the SYN that has come, down to its source port; one that is expected is no clash."""
    wide = expected(control, Direction.REPLY, data.dport, data.dport)
    exact = replace(wide, tuple=data, mask=replace(wide.mask, sport=_WHOLE_PORT))
    error = yield AddExpectation(exact)
    if isinstance(error, KernelError) and error.errno not in CLASHES:
        yield Note(NoteKind.KNOCK, f"kernel: {errno_name(error.errno)}", data)
    else:
        yield Note(NoteKind.EXPECTED, "FTPS", data)
