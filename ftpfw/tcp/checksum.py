"""The Internet checksum (RFC 1071), over IPv4 headers and over TCP with its pseudo-header.

The one's complement sum of 16-bit words is the number that all words form, modulo
2**16 - 1, because 2**16 leaves 1. So one big integer does it at C speed. The two
zeros of one's complement differ: only a sum of nothing but zeros is +0.
"""

from __future__ import annotations

from struct import Struct

_PROTOCOL_TCP = 6
# RFC 8200 8.1; for lengths below 2**16 it has the sum of RFC 9293 3.1's shorter one.
_PSEUDO_TAIL = Struct("!LxxxB")


def internet_checksum(data: bytes, initial: int = 0) -> int:
    """The checksum of ``data``, padded with a zero byte if its length is odd.

    ``initial`` is a sum to start from (not complemented, of any size). Data that
    contains its own right checksum gives 0.
    """
    words = int.from_bytes(data, "big") << (8 * (len(data) & 1))
    total = words + initial
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))


def tcp_checksum(src: bytes, dst: bytes, segment: bytes) -> int:
    """The checksum of a TCP header and payload between two addresses of 4 or 16 bytes."""
    pseudo = src + dst + _PSEUDO_TAIL.pack(len(segment), _PROTOCOL_TCP)
    return internet_checksum(segment, int.from_bytes(pseudo, "big"))
