"""Listening to conntrack: a netlink socket in its multicast groups, filtered in the kernel.

Spec: netlink(7); event_filter (what is let through); wire_event (what it says). What the
kernel could not deliver is told as one `Lost`: the listener then reads the tables anew.

A kernel whose net.netfilter.nf_conntrack_events is 2 (the default since 5.19) makes events
only for connections that began while somebody listened. So the end of an older connection
may never be told: who waits for an end should now and then look whether it lives.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import socket
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from struct import pack
from typing import Self

from ftpfw.conntrack.event_filter import EXPECTED_ONLY, INSTRUCTIONS
from ftpfw.conntrack.nfsocket import DATAGRAM, NETLINK_NETFILTER, SOL_NETLINK
from ftpfw.conntrack.nlmsg import split_messages
from ftpfw.conntrack.refusals import Operation, refused
from ftpfw.conntrack.wire_event import Event, Group, Lost, unpack_event
from ftpfw.conntrack.wire_tuple import NotTcpError

log = logging.getLogger(__name__)

NETLINK_ADD_MEMBERSHIP = 1
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33

BUFFER = 1 << 20
"""Room for some 2000 events that wait (the kernel doubles it, for its own bookkeeping)."""

SWITCH = Path("/proc/sys/net/netfilter/nf_conntrack_events")
"""0: the kernel makes no events."""


class ConntrackEvents:
    """The events of ``groups`` in the network namespace that it was opened in.

    Of all connections only those that were expected are told of. Use it as a context
    manager, from one thread at a time.
    """

    def __init__(self, groups: Collection[Group]) -> None:
        try:
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        except OSError as error:
            raise refused(Operation.OPEN, error.errno or 0) from error
        try:
            self._join(groups)
        except OSError as error:
            self._netlink.close()
            raise refused(Operation.JOIN, error.errno or 0) from error
        if SWITCH.exists() and SWITCH.read_text().strip() == "0":
            log.warning("no events of conntrack: sysctl -w net.netfilter.nf_conntrack_events=1")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor to watch: it can be read where events wait."""
        return self._netlink.fileno()

    def close(self) -> None:
        """Leave the groups."""
        self._netlink.close()

    def read(self) -> Iterator[Event]:
        """The events that wait, in order; none is waited for.

        `Lost` comes last, so that a table that is read then is newer than what was told.
        """
        lost = False
        while True:
            try:
                datagram = self._netlink.recv(DATAGRAM)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True
                continue
            for message in split_messages(datagram):
                with suppress(NotTcpError):
                    yield unpack_event(message)
        if lost:
            yield Lost()

    def _join(self, groups: Collection[Group]) -> None:
        netlink = self._netlink
        netlink.setblocking(False)
        with suppress(PermissionError):  # by whom has no CAP_NET_ADMIN in the initial namespace
            netlink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        attach_filter(netlink)  # before the first event can come
        netlink.bind((0, 0))
        for group in groups:
            netlink.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)


def attach_filter(sock: socket.socket) -> None:
    """Have the kernel put nothing on a socket but what `EXPECTED_ONLY` takes."""
    program = ctypes.create_string_buffer(EXPECTED_ONLY, len(EXPECTED_ONLY))
    fprog = pack("@HP", INSTRUCTIONS, ctypes.addressof(program))  # struct sock_fprog
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
