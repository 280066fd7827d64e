"""pyftpdlib as it comes: its own handler and authorizer, set up as well as its settings allow.

    python -m tests.kernel.plain_pyftpdlib ROOT DESCRIPTOR [OPTIONS]

DESCRIPTOR is a socket that listens, or is connected already.
"""

from __future__ import annotations

import argparse
import os
import pwd
import socket
import warnings
from typing import Any

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

RIGHTS = "elrw"
"""Enter, list, fetch and store; neither append nor delete nor rename."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("descriptor", type=int)
    parser.add_argument("--rights", default=RIGHTS)
    parser.add_argument("--clients", type=int, default=0)
    parser.add_argument("--clients-per-address", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--first-port", type=int)
    parser.add_argument("--last-port", type=int)
    parser.add_argument("--banner")
    parser.add_argument("--tls")
    parser.add_argument("--chroot", action="store_true")
    return parser.parse_args()


def handler(wanted: argparse.Namespace) -> Any:
    """A handler class with these settings."""
    kind = FTPHandler
    if wanted.tls:
        from pyftpdlib.handlers import TLS_FTPHandler  # noqa: PLC0415 -- needs PyOpenSSL

        kind = TLS_FTPHandler
        kind.certfile = wanted.tls
    kind.authorizer = DummyAuthorizer()
    kind.auth_failed_timeout = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that anybody may write
        kind.authorizer.add_anonymous("/" if wanted.chroot else wanted.root, perm=wanted.rights)
    if wanted.first_port:
        kind.passive_ports = range(wanted.first_port, wanted.last_port + 1)
    if wanted.banner:
        kind.banner = wanted.banner
    return kind


def main() -> None:
    wanted = options()
    who = pwd.getpwnam("ftp")
    kind = handler(wanted)
    server = FTPServer(socket.socket(fileno=wanted.descriptor), kind)
    server.max_cons = wanted.clients
    server.max_cons_per_ip = wanted.clients_per_address
    if wanted.chroot:
        os.chroot(wanted.root)
        os.chdir("/")
    os.setgroups([])
    os.setgid(who.pw_gid)
    os.setuid(who.pw_uid)
    server.serve_forever(worker_processes=wanted.workers)


if __name__ == "__main__":
    main()
