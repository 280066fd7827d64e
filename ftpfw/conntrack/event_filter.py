"""A socket filter that lets only events about expected connections through.

A busy gateway has thousands of new connections a second, and each would wake whoever
listens to conntrack's events. The kernel runs this program before it queues an event, so
what it leaves out costs neither a wake-up nor room in the socket's buffer. Of conntracks
it takes those with IPS_EXPECTED in CTA_STATUS, which every event carries; of expectations,
all.

Spec: include/uapi/linux/filter.h; net/core/filter.c, bpf_skb_get_nlattr (from offset A, the
offset of the attribute of type X, or 0). A message begins with its nlmsghdr at offset 0,
and each event is a message of its own.
"""

from __future__ import annotations

from struct import Struct, pack
from typing import Final

from ftpfw.conntrack.model import Status
from ftpfw.conntrack.nla import NLA_HDRLEN
from ftpfw.conntrack.nlmsg import NFGENMSG_LEN, NLMSG_HDRLEN, Subsystem
from ftpfw.conntrack.wire_conntrack import CTA_STATUS

_LD_IMM = 0x00  # A = k
_LDX_IMM = 0x01  # X = k
_LDW_ABS = 0x20  # A = 4 bytes at k
_LDB_ABS = 0x30  # A = the byte at k
_LDW_IND = 0x40  # A = 4 bytes at X + k
_TAX = 0x07  # X = A
_JEQ = 0x15  # A == k
_JSET = 0x45  # A & k
_RET = 0x06  # take k bytes of the message

_SKF_AD_NLATTR = 0xFFFFF000 + 12
_WHOLE = 0xFFFFFFFF

# nlmsg_type is subsystem << 8 | message in host byte order: where the former's byte is.
_SUBSYSTEM_AT = 4 + pack("=H", 0x0100).index(1)

_SOCK_FILTER = Struct("=HBBI")

_PROGRAM = (
    # code, instructions left out if true, if false, k
    (_LDB_ABS, 0, 0, _SUBSYSTEM_AT),
    (_JEQ, 7, 0, Subsystem.CTNETLINK_EXP),  # an expectation: whole
    (_LDX_IMM, 0, 0, CTA_STATUS),
    (_LD_IMM, 0, 0, NLMSG_HDRLEN + NFGENMSG_LEN),
    (_LDW_ABS, 0, 0, _SKF_AD_NLATTR),
    (_JEQ, 4, 0, 0),  # no status: nothing
    (_TAX, 0, 0, 0),
    (_LDW_IND, 0, 0, NLA_HDRLEN),
    (_JSET, 0, 1, Status.EXPECTED),
    (_RET, 0, 0, _WHOLE),
    (_RET, 0, 0, 0),
)

EXPECTED_ONLY: Final = b"".join(_SOCK_FILTER.pack(*one) for one in _PROGRAM)
"""The program as an array of struct sock_filter."""

INSTRUCTIONS: Final = len(_PROGRAM)
