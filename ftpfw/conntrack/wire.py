"""Hand-packed ctnetlink messages: the few that ftpfw sends, and the answers it reads.

Packed here rather than by a library because they are sent per packet: a GET through
this module takes tens of microseconds, through a general netlink library near a millisecond.
One file a kernel noun; this one gathers what callers use.

    nla             attributes
    nlmsg           messages, acknowledgements
    wire_tuple      CTA_TUPLE_*
    wire_conntrack  IPCTNL_MSG_CT_*, CTA_*
    wire_expect     IPCTNL_MSG_EXP_*, CTA_EXPECT_*
"""

from ftpfw.conntrack.nla import WireError
from ftpfw.conntrack.nlmsg import Ack, Message, split_messages, unpack_ack
from ftpfw.conntrack.wire_conntrack import pack_get_conntrack, pack_set_seqadj, unpack_conntrack
from ftpfw.conntrack.wire_expect import (
    pack_delete_expectation,
    pack_get_expectation,
    pack_list_expectations,
    pack_new_expectation,
    unpack_expectation,
)
from ftpfw.conntrack.wire_tuple import NotTcpError

__all__ = [
    "Ack",
    "Message",
    "NotTcpError",
    "WireError",
    "pack_delete_expectation",
    "pack_get_conntrack",
    "pack_get_expectation",
    "pack_list_expectations",
    "pack_new_expectation",
    "pack_set_seqadj",
    "split_messages",
    "unpack_ack",
    "unpack_conntrack",
    "unpack_expectation",
]
