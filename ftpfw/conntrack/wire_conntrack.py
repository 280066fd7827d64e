"""A conntrack on the wire: asking for one or for many, changing one, reading the answer.

Spec: enum ctattr_type and the enums of what nests in it, in
include/uapi/linux/netfilter/nfnetlink_conntrack.h; net/netfilter/nf_conntrack_netlink.c,
ctnetlink_get_conntrack, ctnetlink_filter_parse_mark, ctnetlink_change_conntrack and
ctnetlink_fill_info.

Every change goes without NLM_F_CREATE: with it, a connection that ended meanwhile would be
made anew.
Payloads are read from their nfgenmsg on, as ``nlmsg.Message.payload`` has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from socket import AF_UNSPEC

from ftpfw.conntrack.model import (
    NO_STATUS,
    Conntrack,
    Counters,
    Direction,
    SeqAdj,
    Status,
    TcpState,
    Tuple,
)
from ftpfw.conntrack.nla import (
    Attributes,
    WireError,
    pack_be16,
    pack_be32,
    pack_nested,
    unpack_attributes,
    unpack_be16,
    unpack_be32,
    unpack_be64,
    unpack_string,
    unpack_u8,
)
from ftpfw.conntrack.nlmsg import (
    NLM_F_CHANGE,
    NLM_F_LIST,
    NLM_F_REQUEST,
    Subsystem,
    attributes_of,
    pack_message,
)
from ftpfw.conntrack.wire_tuple import pack_tuple, unpack_tuple

CTA_TUPLE_ORIG = 1
CTA_TUPLE_REPLY = 2
CTA_STATUS = 3
CTA_PROTOINFO = 4
CTA_HELP = 5
CTA_TIMEOUT = 7
CTA_MARK = 8
CTA_COUNTERS_ORIG = 9
CTA_COUNTERS_REPLY = 10
CTA_ID = 12
CTA_TUPLE_MASTER = 14
CTA_SEQ_ADJ_ORIG = 15
CTA_SEQ_ADJ_REPLY = 16
CTA_ZONE = 18
CTA_MARK_MASK = 21
CTA_STATUS_MASK = 26
CTA_PROTOINFO_TCP = 1
CTA_PROTOINFO_TCP_STATE = 1
CTA_COUNTERS_PACKETS = 1
CTA_COUNTERS_BYTES = 2
CTA_HELP_NAME = 1
CTA_SEQADJ_CORRECTION_POS = 1
CTA_SEQADJ_OFFSET_BEFORE = 2
CTA_SEQADJ_OFFSET_AFTER = 3

_NOTHING_ADJUSTED = SeqAdj(0, 0, 0)
_NO_NUMBER = bytes(4)


class CtMessage(IntEnum):
    """Message types of NFNL_SUBSYS_CTNETLINK (enum cntl_msg_types)."""

    NEW = Subsystem.CTNETLINK << 8 | 0  # IPCTNL_MSG_CT_NEW
    GET = Subsystem.CTNETLINK << 8 | 1  # IPCTNL_MSG_CT_GET
    DELETE = Subsystem.CTNETLINK << 8 | 2  # IPCTNL_MSG_CT_DELETE, as an event


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which conntracks to list: those of one family and zone whose bits under a mask are so.

    ``status`` are bits that must all be set.
    """

    family: int = AF_UNSPEC
    zone: int = 0
    mark: int = 0
    mask: int = 0
    status: Status = NO_STATUS

    def __contains__(self, conntrack: Conntrack) -> bool:
        return (
            self.family in (AF_UNSPEC, conntrack.original.family)
            and conntrack.zone == self.zone
            and (conntrack.mark ^ self.mark) & self.mask == 0
            and self.status in conntrack.status
        )


def pack_get_conntrack(tuple_: Tuple, zone: int, seq: int) -> bytes:
    """Ask for the conntrack that has ``tuple_`` in either direction.

    The kernel looks CTA_TUPLE_ORIG up in the hash of both directions
    (nf_conntrack_find_get). No NLM_F_ACK: the answer itself ends the exchange.
    """
    wanted = pack_tuple(CTA_TUPLE_ORIG, tuple_) + pack_zone(CTA_ZONE, zone)
    return pack_message(CtMessage.GET, NLM_F_REQUEST, tuple_.family, seq, wanted)


def pack_set_seqadj(
    original: Tuple, zone: int, direction: Direction, adj: SeqAdj, seq: int
) -> bytes:
    """Give the conntrack with the original tuple ``original`` one direction's adjustment."""
    kind = CTA_SEQ_ADJ_ORIG if direction is Direction.ORIGINAL else CTA_SEQ_ADJ_REPLY
    return _pack_change(original, zone, pack_seqadj(kind, adj), seq)


def pack_list_conntracks(wanted: Wanted, seq: int) -> bytes:
    """Ask for the conntracks that are ``wanted``, and perhaps for others.

    A kernel passes over a filter that it does not know: all know the mark, newer ones the
    status and then the zone.
    """
    filters = pack_zone(CTA_ZONE, wanted.zone)
    if wanted.mask:
        filters += pack_be32(CTA_MARK, wanted.mark & wanted.mask)
        filters += pack_be32(CTA_MARK_MASK, wanted.mask)
    if wanted.status:
        filters += pack_be32(CTA_STATUS, wanted.status) + pack_be32(CTA_STATUS_MASK, wanted.status)
    return pack_message(CtMessage.GET, NLM_F_LIST, wanted.family, seq, filters)


def pack_set_mark(original: Tuple, zone: int, mark: int, mask: int, seq: int) -> bytes:
    """Make the bits ``mask`` of the connmark those of ``mark``; the others stay."""
    # ctnetlink_change_mark exors CTA_MARK as a whole into what the mask leaves.
    change = pack_be32(CTA_MARK, mark & mask) + pack_be32(CTA_MARK_MASK, mask)
    return _pack_change(original, zone, change, seq)


def pack_set_timeout(original: Tuple, zone: int, seconds: int, seq: int) -> bytes:
    """Let the conntrack live ``seconds`` from now, or until its next packet sets that anew."""
    return _pack_change(original, zone, pack_be32(CTA_TIMEOUT, seconds), seq)


def _pack_change(original: Tuple, zone: int, change: bytes, seq: int) -> bytes:
    key = pack_tuple(CTA_TUPLE_ORIG, original) + pack_zone(CTA_ZONE, zone)
    return pack_message(CtMessage.NEW, NLM_F_CHANGE, original.family, seq, key + change)


def pack_zone(kind: int, zone: int) -> bytes:
    """The zone attribute; left out for zone 0, which kernels without zones understand too."""
    return pack_be16(kind, zone) if zone else b""


def pack_seqadj(kind: int, adj: SeqAdj) -> bytes:
    """``adj`` as CTA_SEQ_ADJ_ORIG or _REPLY; all three numbers are required by the kernel."""
    return pack_nested(
        kind,
        pack_be32(CTA_SEQADJ_CORRECTION_POS, adj.correction_pos),
        pack_be32(CTA_SEQADJ_OFFSET_BEFORE, adj.offset_before & 0xFFFFFFFF),
        pack_be32(CTA_SEQADJ_OFFSET_AFTER, adj.offset_after & 0xFFFFFFFF),
    )


def unpack_seqadj(payload: bytes) -> SeqAdj:
    """The payload of CTA_SEQ_ADJ_ORIG or _REPLY; offsets are signed (s32)."""
    found = unpack_attributes(payload)
    return SeqAdj(
        unpack_be32(found[CTA_SEQADJ_CORRECTION_POS]),
        _signed(unpack_be32(found[CTA_SEQADJ_OFFSET_BEFORE])),
        _signed(unpack_be32(found[CTA_SEQADJ_OFFSET_AFTER])),
    )


def unpack_conntrack(payload: bytes) -> Conntrack:
    """The payload of an IPCTNL_MSG_CT_NEW or _DELETE; NotTcpError where it is not about TCP.

    An event tells only what has changed: 0 or None stand for the rest.
    """
    found = unpack_attributes(attributes_of(payload))
    return Conntrack(
        id=unpack_be32(found[CTA_ID]),
        original=unpack_tuple(found[CTA_TUPLE_ORIG]),
        reply=unpack_tuple(found[CTA_TUPLE_REPLY]),
        status=Status(unpack_be32(found[CTA_STATUS])),
        mark=unpack_be32(found.get(CTA_MARK, _NO_NUMBER)),
        zone=unpack_be16(found[CTA_ZONE]) if CTA_ZONE in found else 0,
        timeout=unpack_be32(found.get(CTA_TIMEOUT, _NO_NUMBER)),
        helper=_unpack_helper(found),
        seqadj=(_adjustment(found, CTA_SEQ_ADJ_ORIG), _adjustment(found, CTA_SEQ_ADJ_REPLY)),
        master=unpack_tuple(found[CTA_TUPLE_MASTER]) if CTA_TUPLE_MASTER in found else None,
        counters=_unpack_counters(found),
        tcp_state=_unpack_tcp_state(found),
    )


def _unpack_helper(found: Attributes) -> str | None:
    if CTA_HELP not in found:
        return None
    return unpack_string(unpack_attributes(found[CTA_HELP])[CTA_HELP_NAME])


def _unpack_counters(found: Attributes) -> tuple[Counters, Counters] | None:
    if CTA_COUNTERS_ORIG not in found:
        return None
    return _counters_of(found[CTA_COUNTERS_ORIG]), _counters_of(found[CTA_COUNTERS_REPLY])


def _counters_of(payload: bytes) -> Counters:
    nested = unpack_attributes(payload)
    packets = unpack_be64(nested[CTA_COUNTERS_PACKETS])
    return Counters(packets, unpack_be64(nested[CTA_COUNTERS_BYTES]))


def _unpack_tcp_state(found: Attributes) -> TcpState | None:
    if CTA_PROTOINFO not in found:
        return None
    tcp = unpack_attributes(unpack_attributes(found[CTA_PROTOINFO])[CTA_PROTOINFO_TCP])
    number = unpack_u8(tcp[CTA_PROTOINFO_TCP_STATE])
    try:
        return TcpState(number)
    except ValueError:
        raise WireError(f"CTA_PROTOINFO_TCP_STATE is {number}, no state of TCP") from None


def _adjustment(found: Attributes, kind: int) -> SeqAdj | None:
    """One direction's adjustment; the kernel writes both, with zeros, once either is set."""
    if kind not in found:
        return None
    adj = unpack_seqadj(found[kind])
    return None if adj == _NOTHING_ADJUSTED else adj


def _signed(number: int) -> int:
    return number - (1 << 32) if number & 0x80000000 else number
