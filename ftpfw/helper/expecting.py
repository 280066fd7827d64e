"""From a negotiation to an expectation: which data connection may come, and how it is translated.

Source: nf_conntrack_ftp.c help(), nf_nat_ftp.c nf_nat_ftp(), nf_nat_helper.c
nf_nat_follow_master(). One rule serves active and passive, source and destination NAT.
With *announcer* the side that sent the line, in direction ``dir`` of the control connection:

    expected source       tuple[!dir].src   the peer, as its packets arrive here
    expected destination  tuple[!dir].dst   the announcer, as the peer sees it
    translated to         tuple[dir].src    the announcer itself, at the announced port

An announced address is right if it is the announcer's own or the one the peer sees;
any other is foreign, and opens nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from random import Random

from ftpfw.conntrack.model import Conntrack, Direction, Expectation, ExpectNat, Tuple
from ftpfw.errors import KernelError, errno_name
from ftpfw.ftp.hostport import HostPort
from ftpfw.ftp.negotiation import Negotiation
from ftpfw.helper.commands import (
    AddExpectation,
    Command,
    DeleteExpectation,
    FindExpectation,
    Note,
    NoteKind,
    Outcome,
)
from ftpfw.helper.flow import is_translated

TIMEOUT = 300
"""Seconds an expectation waits for its connection: the policy of the kernel's FTP helper."""

PORT_TRIES = 128
"""As the kernel: the announced port first, then others, no more than this many."""

UNPRIVILEGED = range(1024, 65536)

FOLLOW_MASTER = "nat-follow-master"


@dataclass(frozen=True, slots=True)
class Granted:
    """An expectation that the kernel holds, and what the peer is to be told.

    ``endpoint`` is None where the line is right as it stands.
    """

    expectation: Expectation
    endpoint: HostPort | None


def expect(
    conntrack: Conntrack, direction: Direction, negotiation: Negotiation, random: Random
) -> Generator[Command, Outcome, Granted | None]:
    """Have the kernel expect what was negotiated; None, after a note, where nothing opens."""
    refusal = _why_not(conntrack, direction, negotiation.endpoint)
    if refusal is not None:
        yield _note(NoteKind.REFUSED, refusal, conntrack, negotiation)
        return None
    for port in _ports(conntrack, direction, negotiation.endpoint.port, random):
        expectation = expected(conntrack, direction, negotiation.endpoint.port, port)
        error = yield from _add(conntrack, direction, expectation)
        if error is None:
            yield _note(NoteKind.EXPECTED, negotiation.kind.name, conntrack, negotiation)
            return Granted(expectation, _to_tell(expectation, negotiation.endpoint))
        if error.errno not in CLASHES:
            yield _note(
                NoteKind.REFUSED, f"kernel: {errno_name(error.errno)}", conntrack, negotiation
            )
            return None
    yield _note(NoteKind.REFUSED, "no free port", conntrack, negotiation)
    return None


CLASHES = {errno.EBUSY, errno.EEXIST}


def expected(conntrack: Conntrack, direction: Direction, real: int, public: int) -> Expectation:
    """The expectation for a line sent in ``direction``.

    ``real`` is the port at which the announcer listens, ``public`` the one the peer
    is told; they differ only where the first was taken.
    """
    there = conntrack.tuple(direction.other)
    bits = len(there.src)
    return Expectation(
        master=conntrack.original,
        tuple=Tuple(there.src, 0, there.dst, public),
        mask=Tuple(b"\xff" * bits, 0, b"\xff" * bits, 0xFFFF),
        timeout=TIMEOUT,
        zone=conntrack.zone,
        nat=_nat(conntrack, direction, real),
        expectfn=FOLLOW_MASTER if _has_nat(conntrack) else None,
    )


def _has_nat(conntrack: Conntrack) -> bool:
    return conntrack.reply != conntrack.original.inverted()


def _nat(conntrack: Conntrack, direction: Direction, real: int) -> ExpectNat | None:
    """The translation back to the announcer; the kernel takes both addresses from the master."""
    if not _has_nat(conntrack):
        return None
    announcer = conntrack.tuple(direction).src
    peer = conntrack.tuple(direction).dst
    return ExpectNat(direction.other, Tuple(announcer, real, peer, 0))


def _why_not(conntrack: Conntrack, direction: Direction, endpoint: HostPort) -> str | None:
    if endpoint.host is None:
        return None
    announced = endpoint.host.packed
    if len(announced) != len(conntrack.original.src):
        return "address of the other family"
    return "foreign address" if is_foreign(conntrack, direction, endpoint) else None


def is_foreign(conntrack: Conntrack, direction: Direction, endpoint: HostPort) -> bool:
    """Whether an announced address of the connection's family is not the announcer's."""
    if endpoint.host is None:
        return False
    announced, own = endpoint.host.packed, conntrack.tuple(direction).src
    own_to_peer = conntrack.tuple(direction.other).dst
    return len(announced) == len(own) and announced not in (own, own_to_peer)


def _ports(conntrack: Conntrack, direction: Direction, port: int, random: Random) -> Iterator[int]:
    """The ports to offer the peer: only a line that gets rewritten anyway can offer another."""
    yield port
    if is_translated(conntrack, direction):
        for _ in range(PORT_TRIES - 1):
            yield random.choice(UNPRIVILEGED)


def _add(
    conntrack: Conntrack, direction: Direction, expectation: Expectation
) -> Generator[Command, Outcome, KernelError | None]:
    """Add; an equal expectation of this very announcer's, left from before, is no clash.

    Without NAT an equal tuple can only be its own earlier negotiation, which gives way.
    Under NAT it may belong to another host behind the same address. If it does not,
    this is the line that it was made for, sent again: the peer has been told its port.
    """
    error = yield AddExpectation(expectation)
    assert error is None or isinstance(error, KernelError)
    if error is None or error.errno not in CLASHES:
        return error
    if is_translated(conntrack, direction):
        known = yield FindExpectation(expectation)
        return None if _same(known, expectation) else error
    yield DeleteExpectation(expectation)
    error = yield AddExpectation(expectation)
    assert error is None or isinstance(error, KernelError)
    return error


def _same(known: Outcome, expectation: Expectation) -> bool:
    """Whether an expectation leads from the same connection to the same endpoint."""
    if not isinstance(known, Expectation) or known.nat is None or expectation.nat is None:
        return False
    endpoints = [(one.tuple.src, one.tuple.sport) for one in (known.nat, expectation.nat)]
    return known.master == expectation.master and endpoints[0] == endpoints[1]


def _to_tell(expectation: Expectation, announced: HostPort) -> HostPort | None:
    public = ip_address(expectation.tuple.dst)
    host = None if announced.host is None else public
    told = HostPort(host, expectation.tuple.dport)
    return None if told == announced else told


def _note(kind: NoteKind, reason: str, conntrack: Conntrack, negotiation: Negotiation) -> Note:
    line = negotiation.line.text.decode("latin-1")
    return Note(kind, reason, conntrack.original, line, negotiation.kind)
