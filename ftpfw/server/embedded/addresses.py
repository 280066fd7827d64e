"""Addresses and ports of data connections: a passive port is in its range or there is none."""

from __future__ import annotations

import errno
import socket


def plain(address: str) -> str:
    """An address without what a socket of both families puts before one of IPv4."""
    return address.removeprefix("::ffff:").partition("%")[0]


def listen_passive(address: str, ports: range | None, start: int) -> socket.socket | None:
    """A listening socket on a free port of the range; None where there is none.

    ``start`` is where in the range to begin. Two sockets may bind one port with SO_REUSEADDR, which
    it takes to use ports again at once; only one may listen.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    tried = [0] if ports is None else ports
    for step in range(len(tried)):
        listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, tried[(start + step) % len(tried)]))
            listener.listen(5)
        except OSError as error:
            listener.close()
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
        else:
            return listener
    return None
