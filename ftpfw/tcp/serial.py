"""TCP sequence numbers: 32-bit serial numbers that wrap (RFC 9293 3.4, RFC 1982).

``before`` and ``after`` are the kernel's of the same name (include/net/tcp.h). Numbers
exactly 2**31 apart have no order; as in the kernel, each is then before the other.
"""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_HALF = 1 << 31


def add(a: int, n: int) -> int:
    """The sequence number ``n`` bytes after ``a``; ``n`` may be negative."""
    return (a + n) & _MASK


def distance(a: int, b: int) -> int:
    """How many bytes ``b`` is after ``a``, from -2**31 to 2**31 - 1."""
    return ((b - a + _HALF) & _MASK) - _HALF


def before(a: int, b: int) -> bool:
    """Whether ``a`` comes before ``b``."""
    return distance(b, a) < 0


def after(a: int, b: int) -> bool:
    """Whether ``a`` comes after ``b``."""
    return distance(a, b) < 0
