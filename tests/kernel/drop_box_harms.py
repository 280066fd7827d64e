"""What somebody can do to a drop box, beyond what the audit objects to: a harm each."""

from __future__ import annotations

import ftplib
import io
import socket
import struct
import time
from contextlib import nullcontext, suppress
from pathlib import Path

from .audit_harms import Harm, Server, Talk, anonymous, fetch, may_store, session, store
from .ftp_servers import PATIENCE
from .netns import inside

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket whose close is a reset."""


def goes_on_in_the_middle(server: Server) -> bool:
    """REST before STOR, by a second session: what is there is changed, or gone."""

    def talk(ftp: ftplib.FTP) -> bool:
        return bool(ftp.storbinary("STOR incoming/victim", io.BytesIO(b"CHANGED"), rest=2))

    may_store("incoming/victim")(server)
    anonymous(talk)(server)
    victim = server.incoming / "victim"
    return not victim.exists() or victim.read_bytes() != b"stored"


def changes_times(ftp: ftplib.FTP) -> bool:
    store(ftp, "incoming/x")
    return ftp.sendcmd("MFMT 20010101000000 incoming/x").startswith("213")


def removes(path: str) -> Talk:
    """An empty directory that is there."""
    return lambda ftp: ftp.rmd(path).startswith("250")


def replaced_meanwhile(server: Server) -> bool:
    """Two sessions store under one name at a time; the one that ends last takes it."""

    def body() -> bool:
        with session() as one, session() as other:
            with (
                one.transfercmd("STOR incoming/both") as first,
                other.transfercmd("STOR incoming/both") as second,
            ):
                first.sendall(b"first")
                second.sendall(b"second")
            return all(ftp.voidresp().startswith("226") for ftp in (one, other))

    try:
        both = inside(server.namespace, body)
    except (ftplib.error_perm, ftplib.error_temp):
        return False
    return both and sum("both" in file.name for file in _stored(server)) < 2


def is_let_out(server: Server) -> bool:
    """By a link in the public directory, to what this host keeps elsewhere."""
    link = server.files / "srv" / "ftp" / "pub" / "out"
    if not link.is_symlink():
        link.symlink_to("/etc/passwd")
    return anonymous(lambda ftp: b"root" in fetch(ftp, "pub/out"))(server)


def stores_through_a_link(server: Server) -> bool:
    """The link is in the drop box, and what it leads to is not."""
    target = server.files / "srv" / "ftp" / "pub" / "target"
    target.write_bytes(b"before")
    target.chmod(0o666)
    link = server.incoming / "through"
    link.symlink_to("/srv/ftp/pub/target")
    try:
        may_store("incoming/through")(server)
        return target.read_bytes() != b"before"
    finally:
        link.unlink()
        target.unlink()


def stores_bytes(count: int) -> Harm:
    """An upload of so many bytes, which are all there in the end."""

    def harm(server: Server) -> bool:
        with suppress(ConnectionError):  # in the middle of what is too much
            anonymous(lambda ftp: bool(store(ftp, "incoming/big", bytes(count))))(server)
        file = server.incoming / "big"
        return file.exists() and file.stat().st_size == count

    return harm


def stores_faster(rate: int, seconds: float) -> Harm:
    """More than ``rate`` bytes a second, for as long as a limit would take for it."""

    def talk(ftp: ftplib.FTP) -> bool:
        began = time.monotonic()
        store(ftp, "incoming/fast", bytes(int(rate * seconds)))
        return time.monotonic() - began < seconds / 2

    return anonymous(talk)


def lists_owners(ftp: ftplib.FTP) -> bool:
    """Who owns what is served is told by its name or its number."""
    lines: list[str] = []
    ftp.retrlines("LIST pub", lines.append)
    return any({"root", "0"} & set(line.split()[2:4]) for line in lines)


def tells_what_is_there(*verbs: str) -> Harm:
    """What is in the drop box is answered in another way than what is not."""

    def answer(ftp: ftplib.FTP, command: str) -> str:
        with ftp.makeport() if command[:4] in {"RETR", "LIST"} else nullcontext():
            ftp.putcmd(command)
            reply = ftp.getmultiline()
        if reply[:1] == "1":
            return reply[:3] + ftp.getmultiline()[:3]
        return reply[:3]

    def talk(ftp: ftplib.FTP) -> bool:
        store(ftp, "incoming/there")
        return any(
            answer(ftp, f"{verb} incoming/there") != answer(ftp, f"{verb} incoming/none")
            for verb in verbs
        )

    return anonymous(talk)


def stays_when_broken_off(server: Server) -> bool:
    """An upload that ends in a reset is there under its name, or as good as."""
    _break_off(server, "incoming/broken")
    return any(b"half" in file.read_bytes() for file in _stored(server))


def _stored(server: Server) -> list[Path]:
    return [file for file in server.incoming.iterdir() if file.is_file()]


def _break_off(server: Server, name: str) -> None:
    def body() -> None:
        with session() as ftp:
            with ftp.transfercmd(f"STOR {name}") as data:
                data.sendall(b"half of it")
                data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            with suppress(ftplib.error_temp, ftplib.error_perm):
                ftp.voidresp()

    inside(server.namespace, body)


def has_its_name_too_soon(server: Server) -> bool:
    """An upload that still runs is there under its name."""

    def body() -> bool:
        with session() as ftp:
            with ftp.transfercmd("STOR incoming/soon") as data:
                data.sendall(b"half of it")
                for _ in range(int(PATIENCE / 0.01)):
                    if any(file.stat().st_size for file in _stored(server)):
                        break
                    time.sleep(0.01)
                there = (server.incoming / "soon").exists()
            ftp.voidresp()
            return there

    return inside(server.namespace, body)


def unlogged_when_broken_off(server: Server) -> bool:
    """No log of this host names an upload that broke off."""
    _break_off(server, "incoming/telltale")
    logs = [log for log in (server.files / "var" / "log").rglob("*") if log.is_file()]
    for _ in range(40):
        if any("telltale" in log.read_text(errors="replace") for log in logs):
            return False
        time.sleep(0.05)
    return True
