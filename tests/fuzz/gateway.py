"""The kernel as the engine's targets see it: one control connection, and refusals at will.

What it is asked for is held against the laws that protect a firewall:

- an expectation leads from one end of the control connection to the other, as each sees
  the other, and back to the announcer's own address: never to a third party;
- it is exact but for the source port, and belongs to this control connection; the source
  port counts too where a connection under TLS vouches for a SYN, to a port that the policy gives;
- sequence numbers and marks are changed on this control connection only.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from ftpfw.conntrack.model import Conntrack, Direction, Expectation, SeqAdj, Status, Tuple
from ftpfw.errors import KernelError
from ftpfw.helper.settings import PassiveRange, Settings

HELPER = "sane"
ANY = Status(0)


def _conntrack(original: str, reply: str) -> Conntrack:
    return Conntrack(1, _tuple(original), _tuple(reply), Status.CONFIRMED, helper=HELPER)


def _tuple(text: str) -> Tuple:
    src, sport, dst, dport = text.split()
    return Tuple(ip_address(src).packed, int(sport), ip_address(dst).packed, int(dport))


PATHS = (
    # routed
    _conntrack("10.77.1.10 40000 192.0.2.10 21", "192.0.2.10 21 10.77.1.10 40000"),
    _conntrack("fd77:1::10 40000 2001:db8:2::10 21", "2001:db8:2::10 21 fd77:1::10 40000"),
    # masqueraded
    _conntrack("10.77.1.10 40000 192.0.2.10 21", "192.0.2.10 21 192.0.2.1 40000"),
    _conntrack("fd77:1::10 40000 2001:db8:2::10 21", "2001:db8:2::10 21 2001:db8:2::1 40000"),
    # published
    _conntrack("198.51.100.7 40000 192.0.2.1 21", "10.77.1.10 21 198.51.100.7 40000"),
    _conntrack("2001:db8:9::7 40000 2001:db8:2::1 21", "fd77:1::10 21 2001:db8:9::7 40000"),
    # both, as in a hairpin; the client's port moves
    _conntrack("10.77.1.20 40000 192.0.2.1 21", "10.77.1.10 2121 10.77.1.1 55555"),
    _conntrack("fd77:1::20 40000 2001:db8:2::1 21", "fd77:1::10 2121 fd77:1::1 55555"),
)


def passive_ranges(conntrack: Conntrack) -> tuple[PassiveRange, ...]:
    """Ports that FTPS may use, as a policy gives them for the server of ``conntrack``."""
    return (PassiveRange(conntrack.original.dst, conntrack.original.dport, range(50000, 50010)),)


@dataclass
class FuzzKernel:
    """``refusal`` is the errno of whatever is asked next, 0 for success."""

    conntrack: Conntrack
    settings: Settings = field(default_factory=Settings)
    gone: bool = False
    refusal: int = 0
    expectations: dict[Tuple, Expectation] = field(default_factory=dict)
    granted: list[Expectation] = field(default_factory=list)

    def get(self, tuple_: Tuple) -> Conntrack | None:
        self._refuse("read a conntrack")
        owned = tuple_ in (self.conntrack.original, self.conntrack.reply)
        return self.conntrack if owned and not self.gone else None

    def add_expectation(self, expectation: Expectation) -> None:
        self._require_own(expectation)
        self._refuse("expect a connection")
        if expectation.tuple in self.expectations:
            raise KernelError("expect a connection", errno.EBUSY)
        self.expectations[expectation.tuple] = expectation
        self.granted.append(expectation)

    def list_expectations(self, family: int) -> list[Expectation]:
        self._refuse("list expectations")
        return [one for one in self.expectations.values() if one.tuple.family == family]

    def delete_expectation(self, expectation: Expectation) -> None:
        self._require_own(expectation)
        self._refuse("withdraw an expectation")
        self.expectations.pop(expectation.tuple, None)

    def set_seqadj(self, original: Tuple, direction: Direction, seqadj: SeqAdj) -> None:
        assert original == self.conntrack.original
        self._refuse("adjust sequence numbers")
        both = list(self.conntrack.seqadj)
        both[direction] = seqadj
        self.conntrack = replace(self.conntrack, seqadj=(both[0], both[1]))

    def set_mark(self, original: Tuple, mark: int, mask: int) -> None:
        assert original == self.conntrack.original
        assert mask == self.settings.mark
        self._refuse("set a mark")
        self.conntrack = replace(self.conntrack, mark=self.conntrack.mark & ~mask | mark)

    def list_conntracks(
        self, family: int, *, mark: int = 0, mask: int = 0, status: Status = ANY
    ) -> list[Conntrack]:
        self._refuse("list conntracks")
        known = self.conntrack
        fits = known.original.family == family and known.mark & mask == mark
        return [known] if fits and known.status & status == status and not self.gone else []

    def _refuse(self, attempted: str) -> None:
        if self.refusal:
            raise KernelError(attempted, self.refusal)

    def _require_own(self, expectation: Expectation) -> None:
        conntrack = self.conntrack
        assert expectation.master == conntrack.original
        assert expectation.zone == conntrack.zone
        size = len(conntrack.original.src)
        sport = 0xFFFF if expectation.tuple.sport else 0
        assert expectation.mask == Tuple(b"\xff" * size, sport, b"\xff" * size, 0xFFFF)
        if sport:
            self._require_vouched(expectation)
        announcer = self._announcer(expectation)
        translated = conntrack.reply != conntrack.original.inverted()
        assert (expectation.nat is not None) == translated
        assert expectation.tuple.dport
        if expectation.nat is not None:
            assert expectation.nat.tuple.src == conntrack.tuple(announcer).src
            assert expectation.nat.direction == announcer.other
            assert expectation.nat.tuple.sport

    def _require_vouched(self, expectation: Expectation) -> None:
        """FTPS: nobody announced the port; the policy gives it, and the connection is marked."""
        assert self.conntrack.mark & self.settings.mark
        (allowed,) = passive_ranges(self.conntrack)
        assert expectation.tuple.dport in allowed.ports
        assert expectation.tuple.dst == allowed.public

    def _announcer(self, expectation: Expectation) -> Direction:
        """Who listens: the side that the peer sees at the expectation's destination."""
        for direction in Direction:
            peer = self.conntrack.tuple(direction.other)
            if (expectation.tuple.src, expectation.tuple.dst) == (peer.src, peer.dst):
                return direction
        raise AssertionError(f"{expectation.tuple} is not between the two ends")


def announcer_of(conntrack: Conntrack, expectation: Expectation) -> Direction:
    """The direction in which the line went that announced ``expectation``."""
    reply = expectation.tuple.src == conntrack.original.src
    return Direction.REPLY if reply else Direction.ORIGINAL


def listens_at(expectation: Expectation) -> int:
    """The port that the announcer itself named."""
    return expectation.nat.tuple.sport if expectation.nat else expectation.tuple.dport
