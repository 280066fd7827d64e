"""A conntrack on the wire: asking for one, adjusting its sequence numbers, reading the answer.

Spec: enum ctattr_type, ctattr_help and ctattr_seqadj in
include/uapi/linux/netfilter/nfnetlink_conntrack.h; net/netfilter/nf_conntrack_netlink.c,
ctnetlink_get_conntrack, ctnetlink_change_seq_adj and ctnetlink_fill_info.

The kernel takes CTA_SEQ_ADJ_* only as a change of a conntrack that exists, so the request
goes without NLM_F_CREATE: with it, a connection that ended meanwhile would be made anew.
Payloads are read from their nfgenmsg on, as ``nlmsg.Message.payload`` has them.
"""

from __future__ import annotations

from enum import IntEnum

from ftpfw.conntrack.model import Conntrack, Direction, SeqAdj, Status, Tuple
from ftpfw.conntrack.nla import (
    Attributes,
    pack_be16,
    pack_be32,
    pack_nested,
    unpack_attributes,
    unpack_be16,
    unpack_be32,
    unpack_string,
)
from ftpfw.conntrack.nlmsg import (
    NLM_F_CHANGE,
    NLM_F_REQUEST,
    Subsystem,
    attributes_of,
    pack_message,
)
from ftpfw.conntrack.wire_tuple import pack_tuple, unpack_tuple

CTA_TUPLE_ORIG = 1
CTA_TUPLE_REPLY = 2
CTA_STATUS = 3
CTA_HELP = 5
CTA_TIMEOUT = 7
CTA_MARK = 8
CTA_ID = 12
CTA_SEQ_ADJ_ORIG = 15
CTA_SEQ_ADJ_REPLY = 16
CTA_ZONE = 18
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
    change = (
        pack_tuple(CTA_TUPLE_ORIG, original) + pack_zone(CTA_ZONE, zone) + pack_seqadj(kind, adj)
    )
    return pack_message(CtMessage.NEW, NLM_F_CHANGE, original.family, seq, change)


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
    """The payload of an IPCTNL_MSG_CT_NEW; NotTcpError where it is not a TCP connection."""
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
    )


def _unpack_helper(found: Attributes) -> str | None:
    if CTA_HELP not in found:
        return None
    return unpack_string(unpack_attributes(found[CTA_HELP])[CTA_HELP_NAME])


def _adjustment(found: Attributes, kind: int) -> SeqAdj | None:
    """One direction's adjustment; the kernel writes both, with zeros, once either is set."""
    if kind not in found:
        return None
    adj = unpack_seqadj(found[kind])
    return None if adj == _NOTHING_ADJUSTED else adj


def _signed(number: int) -> int:
    return number - (1 << 32) if number & 0x80000000 else number
