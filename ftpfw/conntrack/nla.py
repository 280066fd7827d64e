"""Netlink attributes: the type-length-value records that netfilter messages are made of.

    struct nlattr { u16 nla_len; u16 nla_type; }  host byte order, payload padded to 4 bytes

Spec: include/uapi/linux/netlink.h and lib/nlattr.c (nla_parse). Netfilter's numbers
inside the payload are in network byte order, whether NLA_F_NET_BYTEORDER says so or not.

Decoding refuses an attribute that is shorter than its header or longer than what
encloses it, and leftover bytes: a cut message must not be read as a complete one.
"""

from __future__ import annotations

from struct import Struct

from ftpfw.errors import FtpfwError

NLA_F_NESTED = 1 << 15
NLA_F_NET_BYTEORDER = 1 << 14
NLA_TYPE_MASK = 0x3FFF
NLA_HDRLEN = 4

_NLATTR = Struct("=HH")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")  # by payload length modulo 4


class WireError(FtpfwError):
    """A netlink message is cut, malformed, or lacks what it must have."""


class Attributes(dict[int, bytes]):
    """Attributes by type; asking for one that is not there is a WireError."""

    def __missing__(self, kind: int) -> bytes:
        raise WireError(f"netlink attribute {kind} is missing")


def pack_attribute(kind: int, payload: bytes) -> bytes:
    """One attribute with its padding."""
    size = len(payload)
    return _NLATTR.pack(NLA_HDRLEN + size, kind) + payload + _PADDING[size & 3]


def pack_nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes."""
    return pack_attribute(kind | NLA_F_NESTED, b"".join(attributes))


def pack_u8(kind: int, value: int) -> bytes:
    """A number of one byte (nla_put_u8)."""
    return pack_attribute(kind, value.to_bytes(1, "big"))


def pack_be16(kind: int, value: int) -> bytes:
    """A number of two bytes in network order (nla_put_be16)."""
    return pack_attribute(kind, value.to_bytes(2, "big"))


def pack_be32(kind: int, value: int) -> bytes:
    """A number of four bytes in network order (nla_put_be32)."""
    return pack_attribute(kind, value.to_bytes(4, "big"))


def pack_string(kind: int, text: str) -> bytes:
    """A name with its terminating zero (NLA_NUL_STRING)."""
    return pack_attribute(kind, text.encode("ascii") + b"\0")


def unpack_attributes(data: bytes) -> Attributes:
    """The attributes in ``data``; of two with the same type the later one holds (nla_parse)."""
    found = Attributes()
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < NLA_HDRLEN:
            raise WireError(f"netlink attribute header is cut: {end - offset} of 4 bytes")
        size, kind = _NLATTR.unpack_from(data, offset)
        if size < NLA_HDRLEN or size > end - offset:
            raise WireError(f"netlink attribute of length {size} where {end - offset} bytes are")
        found[kind & NLA_TYPE_MASK] = data[offset + NLA_HDRLEN : offset + size]
        offset += (size + 3) & ~3
    return found


def unpack_u8(payload: bytes) -> int:
    """A number of one byte."""
    return _unpack_number(payload, 1)


def unpack_be16(payload: bytes) -> int:
    """A number of two bytes in network order."""
    return _unpack_number(payload, 2)


def unpack_be32(payload: bytes) -> int:
    """A number of four bytes in network order."""
    return _unpack_number(payload, 4)


def unpack_be64(payload: bytes) -> int:
    """A number of eight bytes in network order."""
    return _unpack_number(payload, 8)


def unpack_string(payload: bytes) -> str:
    """A name up to its terminating zero; bytes that are not ASCII come out escaped."""
    return payload.partition(b"\0")[0].decode("ascii", "backslashreplace")


def _unpack_number(payload: bytes, size: int) -> int:
    if len(payload) != size:
        raise WireError(f"netlink number of {len(payload)} bytes where {size} are due")
    return int.from_bytes(payload, "big")
