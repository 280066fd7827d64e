"""A TCP tuple on the wire: CTA_TUPLE_* and what nests in it.

    CTA_TUPLE_* { CTA_TUPLE_IP    { CTA_IP_V4_SRC, CTA_IP_V4_DST  or  CTA_IP_V6_* }
                  CTA_TUPLE_PROTO { CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT } }

Spec: enum ctattr_tuple, ctattr_ip and ctattr_l4proto in
include/uapi/linux/netfilter/nfnetlink_conntrack.h; net/netfilter/nf_conntrack_netlink.c,
ctnetlink_parse_tuple and ctnetlink_dump_tuples. A mask has the same shape.
"""

from __future__ import annotations

from ftpfw.conntrack.model import Tuple
from ftpfw.conntrack.nla import (
    Attributes,
    WireError,
    pack_attribute,
    pack_be16,
    pack_nested,
    pack_u8,
    unpack_attributes,
    unpack_be16,
    unpack_u8,
)

CTA_TUPLE_IP = 1
CTA_TUPLE_PROTO = 2
CTA_IP_V4_SRC = 1
CTA_IP_V4_DST = 2
CTA_IP_V6_SRC = 3
CTA_IP_V6_DST = 4
CTA_PROTO_NUM = 1
CTA_PROTO_SRC_PORT = 2
CTA_PROTO_DST_PORT = 3
IPPROTO_TCP = 6

_PROTO_TCP = pack_u8(CTA_PROTO_NUM, IPPROTO_TCP)


class NotTcpError(WireError):
    """A well-formed tuple of another transport protocol, which the model leaves out."""


def pack_tuple(kind: int, tuple_: Tuple) -> bytes:
    """``tuple_`` as the nested attribute ``kind`` (CTA_TUPLE_ORIG, CTA_EXPECT_MASK, …)."""
    v4 = len(tuple_.src) == 4
    return pack_nested(
        kind,
        pack_nested(
            CTA_TUPLE_IP,
            pack_attribute(CTA_IP_V4_SRC if v4 else CTA_IP_V6_SRC, tuple_.src),
            pack_attribute(CTA_IP_V4_DST if v4 else CTA_IP_V6_DST, tuple_.dst),
        ),
        pack_nested(
            CTA_TUPLE_PROTO,
            _PROTO_TCP,
            pack_be16(CTA_PROTO_SRC_PORT, tuple_.sport),
            pack_be16(CTA_PROTO_DST_PORT, tuple_.dport),
        ),
    )


def unpack_tuple(payload: bytes) -> Tuple:
    """The payload of a tuple attribute; NotTcpError where it belongs to another protocol."""
    nested = unpack_attributes(payload)
    proto = unpack_attributes(nested[CTA_TUPLE_PROTO])
    number = unpack_u8(proto[CTA_PROTO_NUM])
    if number != IPPROTO_TCP:
        raise NotTcpError(f"tuple of IP protocol {number}, not TCP")
    src, dst = _unpack_addresses(unpack_attributes(nested[CTA_TUPLE_IP]))
    sport = unpack_be16(proto[CTA_PROTO_SRC_PORT])
    return Tuple(src, sport, dst, unpack_be16(proto[CTA_PROTO_DST_PORT]))


def _unpack_addresses(ip: Attributes) -> tuple[bytes, bytes]:
    if CTA_IP_V4_SRC in ip:
        size, src, dst = 4, ip[CTA_IP_V4_SRC], ip[CTA_IP_V4_DST]
    else:
        size, src, dst = 16, ip[CTA_IP_V6_SRC], ip[CTA_IP_V6_DST]
    if not len(src) == len(dst) == size:
        raise WireError(f"addresses of {len(src)} and {len(dst)} bytes where {size} are due")
    return src, dst
