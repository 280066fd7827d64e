"""A userspace helper's registration on the wire (nfnetlink_cthelper).

    NFCTH_NAME, NFCTH_QUEUE_NUM, NFCTH_PRIV_DATA_LEN, NFCTH_STATUS
    NFCTH_TUPLE  { NFCTH_TUPLE_L3PROTONUM, NFCTH_TUPLE_L4PROTONUM }
    NFCTH_POLICY { NFCTH_POLICY_SET_NUM, NFCTH_POLICY_SET { name, max expected, timeout } }

Spec: include/uapi/linux/netfilter/nfnetlink_cthelper.h; net/netfilter/nfnetlink_cthelper.c,
nfnl_cthelper_new, _get and _del. A new helper needs every attribute but queue number and
status; without NLM_F_EXCL the same request updates a helper that has the same name,
protocols, number of classes, policy name and private data length, else it is EBUSY.
NFCT_HELPER_STATUS_ENABLED makes the kernel queue the flow's packets by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from socket import AF_UNSPEC

from ftpfw.conntrack.nla import (
    Attributes,
    pack_be16,
    pack_be32,
    pack_nested,
    pack_string,
    pack_u8,
    unpack_attributes,
    unpack_be16,
    unpack_be32,
    unpack_string,
    unpack_u8,
)
from ftpfw.conntrack.nlmsg import (
    NLM_F_CHANGE,
    NLM_F_LIST,
    NLM_F_NEW,
    Subsystem,
    attributes_of,
    pack_message,
)
from ftpfw.conntrack.wire_tuple import IPPROTO_TCP

NFCTH_NAME = 1
NFCTH_TUPLE = 2
NFCTH_QUEUE_NUM = 3
NFCTH_POLICY = 4
NFCTH_PRIV_DATA_LEN = 5
NFCTH_STATUS = 6
NFCTH_TUPLE_L3PROTONUM = 1
NFCTH_TUPLE_L4PROTONUM = 2
NFCTH_POLICY_SET_NUM = 1
NFCTH_POLICY_SET = 2
NFCTH_POLICY_NAME = 1
NFCTH_POLICY_EXPECT_MAX = 2
NFCTH_POLICY_EXPECT_TIMEOUT = 3
NFCT_HELPER_STATUS_ENABLED = 1


class CthelperMessage(IntEnum):
    """Message types of NFNL_SUBSYS_CTHELPER (enum nfnl_cthelper_msg_types)."""

    NEW = Subsystem.CTHELPER << 8 | 0  # NFNL_MSG_CTHELPER_NEW
    GET = Subsystem.CTHELPER << 8 | 1  # NFNL_MSG_CTHELPER_GET
    DEL = Subsystem.CTHELPER << 8 | 2  # NFNL_MSG_CTHELPER_DEL


@dataclass(frozen=True, slots=True)
class Registration:
    """A helper that userspace registered, for one family and one transport protocol.

    ``policy``, ``max_expected`` and ``timeout`` (seconds) are those of its first
    expectation class. ``enabled``: the kernel queues the flow's packets to ``queue``.
    """

    name: str
    family: int
    queue: int
    policy: str
    max_expected: int
    timeout: int
    enabled: bool = True
    protocol: int = IPPROTO_TCP
    private_data: int = 0


def pack_new_helper(registration: Registration, seq: int, *, update: bool) -> bytes:
    """Register a helper, or with ``update`` change the one that is there."""
    attributes = b"".join(
        (
            _pack_key(registration),
            pack_be32(NFCTH_QUEUE_NUM, registration.queue),
            _pack_policy(registration),
            pack_be32(NFCTH_PRIV_DATA_LEN, registration.private_data),
            pack_be32(NFCTH_STATUS, registration.enabled),
        )
    )
    flags = NLM_F_CHANGE if update else NLM_F_NEW
    return pack_message(CthelperMessage.NEW, flags, AF_UNSPEC, seq, attributes)


def pack_delete_helper(registration: Registration, seq: int) -> bytes:
    """Remove one helper, by name and protocols; by neither would remove all there are."""
    return pack_message(CthelperMessage.DEL, NLM_F_CHANGE, AF_UNSPEC, seq, _pack_key(registration))


def pack_list_helpers(seq: int) -> bytes:
    """Ask for every helper that userspace registered."""
    return pack_message(CthelperMessage.GET, NLM_F_LIST, AF_UNSPEC, seq)


def unpack_helper(payload: bytes) -> Registration:
    """The payload of an NFNL_MSG_CTHELPER_NEW."""
    found = unpack_attributes(attributes_of(payload))
    protocols = unpack_attributes(found[NFCTH_TUPLE])
    policy = _first_policy(found)
    return Registration(
        name=unpack_string(found[NFCTH_NAME]),
        family=unpack_be16(protocols[NFCTH_TUPLE_L3PROTONUM]),
        queue=unpack_be32(found[NFCTH_QUEUE_NUM]),
        policy=unpack_string(policy[NFCTH_POLICY_NAME]),
        max_expected=unpack_be32(policy[NFCTH_POLICY_EXPECT_MAX]),
        timeout=unpack_be32(policy[NFCTH_POLICY_EXPECT_TIMEOUT]),
        enabled=unpack_be32(found[NFCTH_STATUS]) == NFCT_HELPER_STATUS_ENABLED,
        protocol=unpack_u8(protocols[NFCTH_TUPLE_L4PROTONUM]),
        private_data=unpack_be32(found[NFCTH_PRIV_DATA_LEN]),
    )


def _pack_key(registration: Registration) -> bytes:
    return pack_string(NFCTH_NAME, registration.name) + pack_nested(
        NFCTH_TUPLE,
        pack_be16(NFCTH_TUPLE_L3PROTONUM, registration.family),
        pack_u8(NFCTH_TUPLE_L4PROTONUM, registration.protocol),
    )


def _pack_policy(registration: Registration) -> bytes:
    only_class = pack_nested(
        NFCTH_POLICY_SET,
        pack_string(NFCTH_POLICY_NAME, registration.policy),
        pack_be32(NFCTH_POLICY_EXPECT_MAX, registration.max_expected),
        pack_be32(NFCTH_POLICY_EXPECT_TIMEOUT, registration.timeout),
    )
    return pack_nested(NFCTH_POLICY, pack_be32(NFCTH_POLICY_SET_NUM, 1), only_class)


def _first_policy(found: Attributes) -> Attributes:
    return unpack_attributes(unpack_attributes(found[NFCTH_POLICY])[NFCTH_POLICY_SET])
