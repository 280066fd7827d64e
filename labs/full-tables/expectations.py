"""Fill this network namespace's expectation table: connections that never were, one each.

Prints how many the kernel took. `conntrack -D -d 203.0.113.1` takes them all away again, as an
expectation goes with the connection that it belongs to.
"""

from __future__ import annotations

import errno
import sys
from functools import partial
from ipaddress import IPv4Address

from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.model import Expectation, Tuple
from ftpfw.conntrack.nfsocket import NfSocket
from ftpfw.conntrack.nla import pack_be32, pack_nested, pack_string
from ftpfw.conntrack.nlmsg import NLM_F_NEW, pack_message
from ftpfw.conntrack.wire_conntrack import (
    CTA_HELP,
    CTA_HELP_NAME,
    CTA_TIMEOUT,
    CTA_TUPLE_ORIG,
    CTA_TUPLE_REPLY,
    CtMessage,
)
from ftpfw.conntrack.wire_tuple import pack_tuple
from ftpfw.errors import KernelError

SERVER = IPv4Address("203.0.113.1").packed
ANY = IPv4Address(0).packed
EVERY_BIT = IPv4Address("255.255.255.255").packed
SECONDS = 300


def main() -> int:
    """Fill it; 0 where the kernel then said that it is full."""
    netlink = NfSocket.open()
    with Ctnetlink() as kernel:
        for number in range(1 << 20):
            client = IPv4Address((10 << 24) + number).packed
            master = Tuple(client, 1024, SERVER, 21)
            netlink.change(partial(_pack_connection, master))
            data = Tuple(SERVER, 0, client, 1025)
            mask = Tuple(EVERY_BIT, 0, EVERY_BIT, 0xFFFF)
            try:
                kernel.add_expectation(Expectation(master, data, mask, SECONDS))
            except KernelError as error:
                print(f"{number} expectations, then {error}")
                return 0 if error.errno == errno.EMFILE else 1
    return 1


def _pack_connection(master: Tuple, seq: int) -> bytes:
    attributes = (
        pack_tuple(CTA_TUPLE_ORIG, master),
        pack_tuple(CTA_TUPLE_REPLY, master.inverted()),
        pack_be32(CTA_TIMEOUT, SECONDS),
        pack_nested(CTA_HELP, pack_string(CTA_HELP_NAME, "ftp")),
    )
    return pack_message(CtMessage.NEW, NLM_F_NEW, master.family, seq, b"".join(attributes))


if __name__ == "__main__":
    sys.exit(main())
