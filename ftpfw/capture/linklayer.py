"""Link layers of captures: from a frame to the IP packet in it.

Spec: https://www.tcpdump.org/linktypes.html, IEEE 802.3 and 802.1Q. Stripped by hand, because
dissecting whole frames takes a hundred times as long. A frame without IP gives None;
a link type that is not listed here is a `CaptureError` that names it, because every packet of
the capture would be lost.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final, TypeAlias

from ftpfw.errors import FtpfwError

Strip: TypeAlias = Callable[[bytes], bytes | None]


class CaptureError(FtpfwError):
    """A capture cannot be read: not a capture, damaged, or of a link type that is not known."""


_IP_TYPES = frozenset((b"\x08\x00", b"\x86\xdd"))
# 802.1Q, 802.1ad (QinQ), and what was used for QinQ before 802.1ad.
_VLAN_TYPES = frozenset((b"\x81\x00", b"\x88\xa8", b"\x91\x00"))

# The family of the system that captured, in its byte order: IPv4 is 2 everywhere, IPv6 is
# 10 on Linux, 24, 28 or 30 on the BSDs and macOS.
_IP_FAMILIES = frozenset(
    family.to_bytes(4, order) for family in (2, 10, 24, 28, 30) for order in ("little", "big")
)


def _ethernet(frame: bytes) -> bytes | None:
    return _behind_type(frame, 12)


def _behind_type(frame: bytes, at: int) -> bytes | None:
    """What follows the EtherType at ``at``, VLAN tags skipped."""
    kind = frame[at : at + 2]
    while kind in _VLAN_TYPES:
        at += 4
        kind = frame[at : at + 2]
    return frame[at + 2 :] if kind in _IP_TYPES else None


def _cooked(frame: bytes) -> bytes | None:
    return _behind_type(frame, 14)


def _cooked_2(frame: bytes) -> bytes | None:
    """SLL2 begins with the type; a VLAN tag's rest stands behind its 20 bytes."""
    kind = frame[:2]
    if kind in _VLAN_TYPES:
        return _behind_type(frame, 22)
    return frame[20:] if kind in _IP_TYPES else None


def _raw(frame: bytes) -> bytes | None:
    return frame if frame and frame[0] >> 4 in (4, 6) else None


def _loopback(frame: bytes) -> bytes | None:
    return frame[4:] if frame[:4] in _IP_FAMILIES else None


LINK_TYPES: Final = MappingProxyType(
    {
        0: _loopback,  # LINKTYPE_NULL
        1: _ethernet,  # LINKTYPE_ETHERNET
        12: _raw,  # DLT_RAW of most systems
        14: _raw,  # DLT_RAW of OpenBSD
        101: _raw,  # LINKTYPE_RAW
        108: _loopback,  # LINKTYPE_LOOP
        113: _cooked,  # LINKTYPE_LINUX_SLL
        228: _raw,  # LINKTYPE_IPV4
        229: _raw,  # LINKTYPE_IPV6
        276: _cooked_2,  # LINKTYPE_LINUX_SLL2
    }
)


def strip_for(link_type: int) -> Strip:
    """What takes a frame of that link type to its IP packet, or to None if it has none."""
    try:
        return LINK_TYPES[link_type]
    except KeyError:
        raise CaptureError(
            f"link type {link_type} is not known",
            mend="known are Ethernet (1), Linux cooked (113, 276), raw IP (12, 14, 101, 228, 229) "
            "and loopback (0, 108); https://www.tcpdump.org/linktypes.html names the others",
        ) from None
