"""Python's ftplib as a client, made to use one mode, and to write down what it says and hears.

On IPv4 ftplib only knows PORT and PASV; EPRT and EPSV it keeps for IPv6.
"""

from __future__ import annotations

import ftplib
import ssl
from contextlib import ExitStack
from pathlib import Path

from ftpfw.lab.clients.commands import ClientFailed, Errand, Mode, What, modes_sent


class ModeFTP(ftplib.FTP_TLS):
    """ftplib in one mode, with a trace."""

    def __init__(self, mode: Mode, patience: float) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(timeout=patience, context=context)
        self.mode = mode
        self.trace = ""
        self.set_pasv(not mode.active)

    def login(self, user: str = "", passwd: str = "", acct: str = "", secure: bool = False) -> str:
        """As ftplib, but in clear text unless told otherwise."""
        return super().login(user, passwd, acct, secure)

    def putline(self, line: str) -> None:
        """As ftplib, and noted."""
        self.trace += f"> {line}\n"
        super().putline(line)

    def getline(self) -> str:
        """As ftplib, and noted."""
        line = super().getline()
        self.trace += f"< {line}\n"
        return line

    def sendport(self, host: str, port: int) -> str:
        """EPRT where ftplib would send PORT."""
        return self.sendeprt(host, port) if self.mode is Mode.EPRT else super().sendport(host, port)

    def makepasv(self) -> tuple[str, int]:
        """EPSV where ftplib would send PASV; else the address that PASV names."""
        if self.mode is not Mode.EPSV or self.sock is None:
            return super().makepasv()
        reply = self.sendcmd("EPSV")
        return ftplib.parse229(reply, self.sock.getpeername())  # noqa: S321 -- FTP is the subject


def transfer(errand: Errand) -> str:
    """Do an errand in the calling thread's namespace; the trace. Raises ClientFailed."""
    session = ModeFTP(errand.mode, errand.patience)
    try:
        with ExitStack() as stack:
            stack.enter_context(session)
            session.connect(errand.server)
            session.login(secure=errand.tls)
            if errand.tls:
                session.prot_p()
            _transfer(session, errand, stack)
    except (OSError, EOFError, ftplib.Error) as error:
        asked = bool(modes_sent(session.trace))
        raise ClientFailed(f"{session.trace}ftplib: {error!r}\n", asked=asked) from error
    return session.trace


def _transfer(session: ModeFTP, errand: Errand, stack: ExitStack) -> None:
    local = Path(errand.local)
    match errand.what:
        case What.UP:
            session.storbinary(f"STOR {errand.remote}", stack.enter_context(local.open("rb")))
        case What.DOWN:
            got = stack.enter_context(local.open("wb"))
            session.retrbinary(f"RETR {errand.remote}", got.write)
        case What.LIST:
            lines: list[str] = []
            session.retrlines(f"LIST {errand.remote}".strip(), lines.append)
            local.write_text("\n".join(lines), encoding="utf-8")
