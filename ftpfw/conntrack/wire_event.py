"""Events of conntrack: what the kernel tells of its own accord, to those who joined a group.

Spec: net/netfilter/nf_conntrack_netlink.c, ctnetlink_conntrack_event and
ctnetlink_expect_event. An event has the message type of the answer to a GET, or DELETE; one
of NEW type with NLM_F_CREATE tells of a new entry, without it of a change.

Of a conntrack, all events tell the tuples, the status and the id. NEW tells the master,
UPDATE what has changed, DESTROY the counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from ftpfw.conntrack.model import Conntrack, Expectation
from ftpfw.conntrack.nla import WireError
from ftpfw.conntrack.nlmsg import Flag, Message
from ftpfw.conntrack.wire_conntrack import CtMessage, unpack_conntrack
from ftpfw.conntrack.wire_expect import ExpMessage, unpack_expectation

_CREATE = int(Flag.CREATE)


class Group(IntEnum):
    """Multicast groups (enum nfnetlink_groups)."""

    NEW = 1  # NFNLGRP_CONNTRACK_NEW
    UPDATE = 2  # NFNLGRP_CONNTRACK_UPDATE
    DESTROY = 3  # NFNLGRP_CONNTRACK_DESTROY
    EXP_NEW = 4  # NFNLGRP_CONNTRACK_EXP_NEW
    EXP_DESTROY = 6  # NFNLGRP_CONNTRACK_EXP_DESTROY


@dataclass(frozen=True, slots=True)
class New:
    """A connection has begun."""

    conntrack: Conntrack


@dataclass(frozen=True, slots=True)
class Update:
    """Something about a connection has changed."""

    conntrack: Conntrack


@dataclass(frozen=True, slots=True)
class Destroy:
    """The entry of a connection is gone."""

    conntrack: Conntrack


@dataclass(frozen=True, slots=True)
class ExpectNew:
    """A connection is expected from now on."""

    expectation: Expectation


@dataclass(frozen=True, slots=True)
class ExpectDestroy:
    """A connection is no more expected: it came, or time is up, or it was withdrawn."""

    expectation: Expectation


@dataclass(frozen=True, slots=True)
class Lost:
    """More came than the socket could take: the tables are to be read anew."""


ConntrackEvent: TypeAlias = New | Update | Destroy
ExpectEvent: TypeAlias = ExpectNew | ExpectDestroy
Event: TypeAlias = ConntrackEvent | ExpectEvent | Lost


def unpack_event(message: Message) -> Event:
    """What a message tells; NotTcpError where it is about another protocol."""
    match message.type:
        case CtMessage.NEW if message.flags & _CREATE:
            return New(unpack_conntrack(message.payload))
        case CtMessage.NEW:
            return Update(unpack_conntrack(message.payload))
        case CtMessage.DELETE:
            return Destroy(unpack_conntrack(message.payload))
        case ExpMessage.NEW:
            return ExpectNew(unpack_expectation(message.payload))
        case ExpMessage.DELETE:
            return ExpectDestroy(unpack_expectation(message.payload))
        case _:
            raise WireError(f"netlink message of type {message.type:#x} is no event of conntrack")
