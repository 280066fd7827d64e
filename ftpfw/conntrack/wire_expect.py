"""An expectation on the wire: adding, deleting, finding, listing, and reading the answer.

Spec: enum ctattr_expect and ctattr_expect_nat in
include/uapi/linux/netfilter/nfnetlink_conntrack.h; net/netfilter/nf_conntrack_netlink.c,
ctnetlink_new_expect, ctnetlink_del_expect, ctnetlink_exp_dump_expect.

What the kernel makes of the fields of a new expectation:

- the mask's destination half and CTA_EXPECT_NAT_TUPLE's are not read; listed, the former
  is all ones and the latter all zeros;
- CTA_EXPECT_TIMEOUT is not read: the policy of the master's helper sets the time to live;
- CTA_EXPECT_CLASS beyond the classes of the master's helper is EINVAL (sane has class 0
  only); before that check came, it was read only beside CTA_EXPECT_HELP_NAME. That one is
  left out, because on those kernels it attaches the helper to the data connection;
- NF_CT_EXPECT_USERSPACE is taken away from CTA_EXPECT_FLAGS;
- NLM_F_EXCL is needed: without it, a request whose tuple an existing expectation covers,
  even another master's, only restarts that expectation's timer and reports success.

CTA_EXPECT_ZONE is not told when listing: the zone is that of the master.
"""

from __future__ import annotations

from enum import IntEnum

from ftpfw.conntrack.model import NO_FLAGS, Direction, Expectation, ExpectFlag, ExpectNat, Tuple
from ftpfw.conntrack.nla import (
    WireError,
    pack_be32,
    pack_nested,
    pack_string,
    unpack_attributes,
    unpack_be16,
    unpack_be32,
    unpack_string,
)
from ftpfw.conntrack.nlmsg import (
    NLM_F_CHANGE,
    NLM_F_LIST,
    NLM_F_NEW,
    Subsystem,
    attributes_of,
    pack_message,
)
from ftpfw.conntrack.wire_conntrack import pack_zone
from ftpfw.conntrack.wire_tuple import pack_tuple, unpack_tuple

CTA_EXPECT_MASTER = 1
CTA_EXPECT_TUPLE = 2
CTA_EXPECT_MASK = 3
CTA_EXPECT_TIMEOUT = 4
CTA_EXPECT_ID = 5
CTA_EXPECT_HELP_NAME = 6
CTA_EXPECT_ZONE = 7
CTA_EXPECT_FLAGS = 8
CTA_EXPECT_CLASS = 9
CTA_EXPECT_NAT = 10
CTA_EXPECT_FN = 11
CTA_EXPECT_NAT_DIR = 1
CTA_EXPECT_NAT_TUPLE = 2

_NO_NUMBER = bytes(4)


class ExpMessage(IntEnum):
    """Message types of NFNL_SUBSYS_CTNETLINK_EXP (enum ctnl_exp_msg_types)."""

    NEW = Subsystem.CTNETLINK_EXP << 8 | 0  # IPCTNL_MSG_EXP_NEW
    GET = Subsystem.CTNETLINK_EXP << 8 | 1  # IPCTNL_MSG_EXP_GET
    DELETE = Subsystem.CTNETLINK_EXP << 8 | 2  # IPCTNL_MSG_EXP_DELETE


def pack_new_expectation(exp: Expectation, seq: int) -> bytes:
    """Add ``exp``; ``helper`` and ``id`` are the kernel's to tell and are left out."""
    attributes = b"".join(
        (
            pack_tuple(CTA_EXPECT_MASTER, exp.master),
            pack_tuple(CTA_EXPECT_TUPLE, exp.tuple),
            pack_tuple(CTA_EXPECT_MASK, exp.mask),
            pack_be32(CTA_EXPECT_TIMEOUT, exp.timeout),
            pack_be32(CTA_EXPECT_FLAGS, exp.flags),
            pack_be32(CTA_EXPECT_CLASS, exp.class_id),
            pack_zone(CTA_EXPECT_ZONE, exp.zone),
            _pack_nat(exp.nat) if exp.nat else b"",
            pack_string(CTA_EXPECT_FN, exp.expectfn) if exp.expectfn else b"",
        )
    )
    return pack_message(ExpMessage.NEW, NLM_F_NEW, exp.tuple.family, seq, attributes)


def pack_delete_expectation(exp: Expectation, seq: int) -> bytes:
    """Delete the expectation that covers ``exp.tuple``.

    The kernel compares under the mask of the expectation that it has and asks for no
    master, so it may be another than ``exp``; a non-zero ``exp.id`` makes it this one only.
    """
    attributes = _pack_key(exp.tuple, exp.zone)
    if exp.id:
        attributes += pack_be32(CTA_EXPECT_ID, exp.id)
    return pack_message(ExpMessage.DELETE, NLM_F_CHANGE, exp.tuple.family, seq, attributes)


def pack_list_expectations(family: int, seq: int) -> bytes:
    """Ask for all expectations of ``family``; AF_UNSPEC for every family."""
    return pack_message(ExpMessage.GET, NLM_F_LIST, family, seq)


def unpack_expectation(payload: bytes) -> Expectation:
    """The payload of an IPCTNL_MSG_EXP_NEW; NotTcpError where it is not about TCP."""
    found = unpack_attributes(attributes_of(payload))
    return Expectation(
        master=unpack_tuple(found[CTA_EXPECT_MASTER]),
        tuple=unpack_tuple(found[CTA_EXPECT_TUPLE]),
        mask=unpack_tuple(found[CTA_EXPECT_MASK]),
        timeout=unpack_be32(found[CTA_EXPECT_TIMEOUT]),
        class_id=unpack_be32(found.get(CTA_EXPECT_CLASS, _NO_NUMBER)),
        flags=ExpectFlag(unpack_be32(found[CTA_EXPECT_FLAGS]))
        if CTA_EXPECT_FLAGS in found
        else NO_FLAGS,
        zone=unpack_be16(found[CTA_EXPECT_ZONE]) if CTA_EXPECT_ZONE in found else 0,
        nat=_unpack_nat(found[CTA_EXPECT_NAT]) if CTA_EXPECT_NAT in found else None,
        expectfn=unpack_string(found[CTA_EXPECT_FN]) if CTA_EXPECT_FN in found else None,
        helper=unpack_string(found[CTA_EXPECT_HELP_NAME])
        if CTA_EXPECT_HELP_NAME in found
        else None,
        id=unpack_be32(found.get(CTA_EXPECT_ID, _NO_NUMBER)),
    )


def _pack_key(tuple_: Tuple, zone: int) -> bytes:
    return pack_tuple(CTA_EXPECT_TUPLE, tuple_) + pack_zone(CTA_EXPECT_ZONE, zone)


def _pack_nat(nat: ExpectNat) -> bytes:
    return pack_nested(
        CTA_EXPECT_NAT,
        pack_be32(CTA_EXPECT_NAT_DIR, nat.direction),
        pack_tuple(CTA_EXPECT_NAT_TUPLE, nat.tuple),
    )


def _unpack_nat(payload: bytes) -> ExpectNat:
    found = unpack_attributes(payload)
    number = unpack_be32(found[CTA_EXPECT_NAT_DIR])
    if number not in (Direction.ORIGINAL, Direction.REPLY):
        raise WireError(f"CTA_EXPECT_NAT_DIR is {number}, neither original nor reply")
    return ExpectNat(Direction(number), unpack_tuple(found[CTA_EXPECT_NAT_TUPLE]))
