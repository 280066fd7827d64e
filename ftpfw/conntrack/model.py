"""Connection tracking as the kernel models it: tuples, conntracks, expectations, seqadj.

Source: include/net/netfilter/nf_conntrack_tuple.h, nf_conntrack_expect.h,
nf_conntrack_seqadj.h and include/uapi/linux/netfilter/nf_conntrack_common.h.
Only TCP is modelled. Addresses are raw network-order bytes, 4 for IPv4 and 16
for IPv6, because they come from packets and go into netlink attributes as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from ipaddress import ip_address
from socket import AF_INET, AF_INET6


class Direction(IntEnum):
    """Which way a packet of a connection travels (enum ip_conntrack_dir)."""

    ORIGINAL = 0  # IP_CT_DIR_ORIGINAL
    REPLY = 1  # IP_CT_DIR_REPLY

    @property
    def other(self) -> Direction:
        """The opposite direction."""
        return Direction.REPLY if self is Direction.ORIGINAL else Direction.ORIGINAL


class Status(IntFlag):
    """Bits of CTA_STATUS (enum ip_conntrack_status)."""

    EXPECTED = 1 << 0  # IPS_EXPECTED
    SEEN_REPLY = 1 << 1  # IPS_SEEN_REPLY
    ASSURED = 1 << 2  # IPS_ASSURED
    CONFIRMED = 1 << 3  # IPS_CONFIRMED
    SRC_NAT = 1 << 4  # IPS_SRC_NAT
    DST_NAT = 1 << 5  # IPS_DST_NAT
    SEQ_ADJUST = 1 << 6  # IPS_SEQ_ADJUST
    SRC_NAT_DONE = 1 << 7  # IPS_SRC_NAT_DONE
    DST_NAT_DONE = 1 << 8  # IPS_DST_NAT_DONE
    DYING = 1 << 9  # IPS_DYING
    HELPER = 1 << 13  # IPS_HELPER


NO_STATUS = Status(0)


class TcpState(IntEnum):
    """Where a connection stands by its segments (enum tcp_conntrack)."""

    NONE = 0  # TCP_CONNTRACK_NONE
    SYN_SENT = 1  # TCP_CONNTRACK_SYN_SENT
    SYN_RECV = 2  # TCP_CONNTRACK_SYN_RECV
    ESTABLISHED = 3  # TCP_CONNTRACK_ESTABLISHED
    FIN_WAIT = 4  # TCP_CONNTRACK_FIN_WAIT
    CLOSE_WAIT = 5  # TCP_CONNTRACK_CLOSE_WAIT
    LAST_ACK = 6  # TCP_CONNTRACK_LAST_ACK
    TIME_WAIT = 7  # TCP_CONNTRACK_TIME_WAIT
    CLOSE = 8  # TCP_CONNTRACK_CLOSE
    SYN_SENT2 = 9  # TCP_CONNTRACK_SYN_SENT2


class ExpectFlag(IntFlag):
    """Bits of CTA_EXPECT_FLAGS (NF_CT_EXPECT_*)."""

    PERMANENT = 1 << 0  # NF_CT_EXPECT_PERMANENT
    INACTIVE = 1 << 1  # NF_CT_EXPECT_INACTIVE
    USERSPACE = 1 << 2  # NF_CT_EXPECT_USERSPACE


NO_FLAGS = ExpectFlag(0)


@dataclass(frozen=True, slots=True)
class Tuple:
    """One direction of a TCP connection, as its packets look when they arrive (nf_conntrack_tuple).

    ``src`` and ``dst`` are 4 or 16 bytes, of one family; ports are host-order integers.
    """

    src: bytes
    sport: int
    dst: bytes
    dport: int

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6, by the length of the addresses."""
        return AF_INET if len(self.src) == 4 else AF_INET6

    def inverted(self) -> Tuple:
        """The tuple of an answer without NAT: source and destination change places."""
        return Tuple(self.dst, self.dport, self.src, self.sport)

    def __str__(self) -> str:
        return f"{format_endpoint(self.src, self.sport)} -> {format_endpoint(self.dst, self.dport)}"


def format_endpoint(address: bytes, port: int) -> str:
    """``192.0.2.1:21`` or ``[2001:db8::1]:21`` of raw address bytes and a port."""
    host = ip_address(address)
    return f"{host}:{port}" if host.version == 4 else f"[{host}]:{port}"


def parse_endpoint(text: str) -> tuple[bytes, int]:
    """What ``format_endpoint`` made its text of; ValueError where that is none of its texts."""
    host, _, port = text.rpartition(":")
    return ip_address(host.strip("[]")).packed, int(port)


@dataclass(frozen=True, slots=True)
class SeqAdj:
    """One direction's sequence adjustment (struct nf_ct_seqadj, CTA_SEQ_ADJ_*).

    A segment that starts after ``correction_pos`` (in the sender's own numbers) is
    shifted by ``offset_after``, any other by ``offset_before``; both are signed.
    """

    correction_pos: int
    offset_before: int
    offset_after: int


@dataclass(frozen=True, slots=True)
class Counters:
    """What one direction has carried (struct nf_conn_counter); bytes are those of IP packets."""

    packets: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Conntrack:
    """What ctnetlink tells about one tracked TCP connection.

    ``timeout`` is in seconds, and left to live. ``seqadj`` holds the adjustment of the
    original and of the reply direction, None where the kernel adjusts nothing. ``helper`` is
    CTA_HELP_NAME. ``master`` is the original tuple of the connection that this one was expected
    by. ``counters`` are those of the original and of the reply direction, None where
    net.netfilter.nf_conntrack_acct is off.
    """

    id: int
    original: Tuple
    reply: Tuple
    status: Status
    mark: int = 0
    zone: int = 0
    timeout: int = 0
    helper: str | None = None
    seqadj: tuple[SeqAdj | None, SeqAdj | None] = (None, None)
    master: Tuple | None = None
    counters: tuple[Counters, Counters] | None = None
    tcp_state: TcpState | None = None

    def tuple(self, direction: Direction) -> Tuple:
        """The tuple of packets that travel in ``direction``."""
        return self.original if direction is Direction.ORIGINAL else self.reply


@dataclass(frozen=True, slots=True)
class ExpectNat:
    """How the expected connection is translated (CTA_EXPECT_NAT).

    ``direction`` is the expected connection's direction relative to its master (exp->dir);
    ``tuple.src`` and ``tuple.sport`` become exp->saved_addr and exp->saved_proto, the
    endpoint behind the NAT; its destination half is not read by the kernel.
    """

    direction: Direction
    tuple: Tuple


@dataclass(frozen=True, slots=True)
class Expectation:
    """A connection that the kernel is to accept as RELATED (struct nf_conntrack_expect).

    ``master`` is the control connection's original tuple. Zero bits in ``mask`` match
    anything. ``timeout`` is in seconds: to live when added, left to live when listed.
    """

    master: Tuple
    tuple: Tuple
    mask: Tuple
    timeout: int
    class_id: int = 0
    flags: ExpectFlag = NO_FLAGS
    zone: int = 0
    nat: ExpectNat | None = None
    expectfn: str | None = None
    helper: str | None = None
    id: int = 0
