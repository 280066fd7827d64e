"""Sockets for control connections: opened here, or handed over by systemd or inetd.

Spec: sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, descriptors from 3 on. inetd: the connection is
standard input.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import MutableMapping

from ftpfw.errors import HostError
from ftpfw.server.embedded.obeyed import error_at
from ftpfw.server.settings import Family, Settings

FIRST = 3
BACKLOG = 512


def inherited(environment: MutableMapping[str, str], pid: int) -> list[socket.socket]:
    """The sockets that a service manager has opened; no child is to think they are its own."""
    given = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if given[0] != str(pid) or not given[1].isdecimal():
        return []
    sockets = [socket.socket(fileno=FIRST + number) for number in range(int(given[1]))]
    for one in sockets:
        one.set_inheritable(False)
        one.setblocking(not is_listening(one))
    return sockets


def is_listening(one: socket.socket) -> bool:
    """Whether it is a socket that accepts, not a connection."""
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def standard_input() -> socket.socket:
    """The connection that inetd has handed over."""
    try:
        connection = socket.socket(fileno=os.dup(0))
        connection.getpeername()
    except OSError as error:
        raise HostError(
            f"standard input is no connection: {error.strerror}",
            mend="have inetd or a service manager start it, or leave --inetd out",
        ) from error
    return connection


def spare_connection() -> bool:
    """Keep output and errors off the connection, which inetd hands over as all three; if it has."""
    taken = [number for number in (1, 2) if _is_socket(0) and _are_one(0, number)]
    for number in taken:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, number)
        os.close(nothing)
    return bool(taken)


def _is_socket(number: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(number).st_mode)
    except OSError:
        return False


def _are_one(one: int, other: int) -> bool:
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False


def addresses(settings: Settings) -> list[tuple[socket.AddressFamily, str]]:
    """What to listen on; every address is two sockets, one a family."""
    named = [str(one) for one in settings.listen.addresses]
    if named:
        return [_resolve(settings, one) for one in named]
    every = [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]  # noqa: S104 -- it is asked for
    wanted = {
        Family.IPV4: {socket.AF_INET},
        Family.IPV6: {socket.AF_INET6},
        Family.BOTH: {socket.AF_INET, socket.AF_INET6},
    }[settings.listen.family]
    return [one for one in every if one[0] in wanted and _has(one[0])]


def _has(family: socket.AddressFamily) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(("::1" if family is socket.AF_INET6 else "127.0.0.1", 0))
    except OSError:
        return False
    return True


def _resolve(settings: Settings, name: str) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        what = f"{name}: {error.strerror}"
        raise error_at(
            settings, "listen.addresses", what, "name an address of this host"
        ) from error
    return found[0], str(found[4][0])


def open_listeners(
    settings: Settings, standing: list[socket.socket]
) -> tuple[list[socket.socket], list[socket.socket]]:
    """Listen: all sockets, and which of them are new; those that stand already are taken.

    Nothing new stays open where one address fails.
    """
    before = {(one.family, *_endpoint(one, settings)): one for one in standing}
    wanted, fresh = [], []
    try:
        for family, address in addresses(settings):
            one = before.get((family, address, settings.listen.port))
            if one is None:
                one = _listen(settings, family, address)
                fresh.append(one)
            wanted.append(one)
    except BaseException:
        for one in fresh:
            one.close()
        raise
    return wanted, fresh


def _endpoint(one: socket.socket, settings: Settings) -> tuple[str, int]:
    """Where a socket listens; port 0 is whichever it has got."""
    host, port = one.getsockname()[:2]
    return host, port if settings.listen.port else 0


def _listen(settings: Settings, family: socket.AddressFamily, address: str) -> socket.socket:
    port = settings.listen.port
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        what = f"cannot listen on {address} port {port}: {error.strerror}"
        mend = "end what listens there, or take another by --port; below 1024 it takes root"
        raise error_at(settings, "listen.port", what, mend) from error
    listener.setblocking(False)
    return listener


def described(one: socket.socket) -> str:
    """Where a socket listens, for people."""
    host, port = one.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
