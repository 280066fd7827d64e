"""Netfilter netlink messages: header, address family, answers and refusals.

    nlmsghdr  { u32 len; u16 type; u16 flags; u32 seq; u32 pid }   host byte order
    nfgenmsg  { u8 family; u8 version; be16 res_id }
    nlattr …

Spec: netlink(7), include/uapi/linux/netlink.h, include/uapi/linux/netfilter/nfnetlink.h
(type = subsystem << 8 | message) and net/netlink/af_netlink.c (netlink_ack, whose
answer carries the extended acknowledgement where NETLINK_EXT_ACK was asked for).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct

from ftpfw.conntrack.nla import WireError, unpack_attributes, unpack_string

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLMSG_HDRLEN = 16
NLMSGERR_ATTR_MSG = 1
MAX_ERRNO = 4095  # include/linux/err.h
NFNETLINK_V0 = 0
NFGENMSG_LEN = 4

_NLMSGHDR = Struct("=IHHII")
_MESSAGE = Struct("=IHHIIBBH")  # nlmsghdr and nfgenmsg
_ERRNO = Struct("=i")


class Subsystem(IntEnum):
    """The high byte of a message type (NFNL_SUBSYS_*)."""

    CTNETLINK = 1  # NFNL_SUBSYS_CTNETLINK
    CTNETLINK_EXP = 2  # NFNL_SUBSYS_CTNETLINK_EXP
    CTHELPER = 9  # NFNL_SUBSYS_CTHELPER
    NFTABLES = 10  # NFNL_SUBSYS_NFTABLES


class Flag(IntFlag):
    """Bits of nlmsg_flags; their meaning depends on the kind of request."""

    REQUEST = 0x01  # NLM_F_REQUEST
    ACK = 0x04  # NLM_F_ACK
    DUMP_INTR = 0x10  # NLM_F_DUMP_INTR
    CAPPED = 0x100  # NLM_F_CAPPED, in an NLMSG_ERROR
    ACK_TLVS = 0x200  # NLM_F_ACK_TLVS, in an NLMSG_ERROR or NLMSG_DONE
    EXCL = 0x200  # NLM_F_EXCL, in a NEW request
    DUMP = 0x300  # NLM_F_DUMP, in a GET request
    CREATE = 0x400  # NLM_F_CREATE


# Plain integers: an IntFlag operation costs a microsecond, and requests are made per packet.
NLM_F_REQUEST = int(Flag.REQUEST)
NLM_F_CHANGE = int(Flag.REQUEST | Flag.ACK)
NLM_F_NEW = int(Flag.REQUEST | Flag.ACK | Flag.CREATE | Flag.EXCL)
NLM_F_LIST = int(Flag.REQUEST | Flag.DUMP)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a datagram; ``payload`` starts after the nlmsghdr."""

    type: int
    flags: int
    seq: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """How a request ended: ``errno`` is positive, 0 for success; ``said`` is the kernel's text."""

    errno: int
    said: str | None = None


def pack_message(kind: int, flags: int, family: int, seq: int, attributes: bytes = b"") -> bytes:
    """A whole request; ``kind`` is subsystem << 8 | message."""
    size = NLMSG_HDRLEN + NFGENMSG_LEN + len(attributes)
    head = _MESSAGE.pack(size, kind, flags, seq, 0, family, NFNETLINK_V0, 0)
    return head + attributes


def split_messages(datagram: bytes) -> Iterator[Message]:
    """The messages of one received datagram, in order; WireError where one is cut."""
    offset, end = 0, len(datagram)
    while offset < end:
        if end - offset < NLMSG_HDRLEN:
            raise WireError(f"netlink header is cut: {end - offset} of {NLMSG_HDRLEN} bytes")
        size, kind, flags, seq, _ = _NLMSGHDR.unpack_from(datagram, offset)
        if size < NLMSG_HDRLEN or size > end - offset:
            raise WireError(f"netlink message of length {size} where {end - offset} bytes are")
        yield Message(kind, flags, seq, datagram[offset + NLMSG_HDRLEN : offset + size])
        offset += (size + 3) & ~3


def attributes_of(payload: bytes) -> bytes:
    """The attribute bytes of an nfnetlink payload, after its nfgenmsg."""
    if len(payload) < NFGENMSG_LEN:
        raise WireError(f"nfgenmsg is cut: {len(payload)} of {NFGENMSG_LEN} bytes")
    return payload[NFGENMSG_LEN:]


def unpack_ack(message: Message) -> Ack:
    """The end of a request, told by NLMSG_ERROR (with errno 0: done) or NLMSG_DONE."""
    if len(message.payload) < _ERRNO.size:
        raise WireError("netlink acknowledgement carries no error number")
    errno = -_ERRNO.unpack_from(message.payload)[0]
    if not 0 <= errno <= MAX_ERRNO:
        raise WireError(f"netlink acknowledgement with the error number {-errno}")
    if not message.flags & Flag.ACK_TLVS:
        return Ack(errno)
    found = unpack_attributes(message.payload[_end_of_echo(message) :])
    text = found.get(NLMSGERR_ATTR_MSG)
    return Ack(errno, unpack_string(text) if text is not None else None)


def _end_of_echo(message: Message) -> int:
    """Where the extended acknowledgement begins: NLMSG_ERROR repeats the request before it."""
    if message.type == NLMSG_DONE:
        return _ERRNO.size
    if len(message.payload) < _ERRNO.size + NLMSG_HDRLEN:
        raise WireError("netlink acknowledgement does not repeat its request's header")
    echoed = NLMSG_HDRLEN
    if not message.flags & Flag.CAPPED:
        echoed = _NLMSGHDR.unpack_from(message.payload, _ERRNO.size)[0]
    return _ERRNO.size + ((echoed + 3) & ~3)
