"""A session: every command is judged before it touches a file."""

from __future__ import annotations

import socket
from typing import Any

from pyftpdlib.exceptions import FilesystemError

from ftpfw.server.embedded.judge import JUDGED, NOT_TO_BE_HAD, judge, verb_refused
from ftpfw.server.embedded.listing import LISTS, without_options
from ftpfw.server.embedded.login import Login
from ftpfw.server.embedded.paths import is_clean
from ftpfw.server.embedded.texts import read_message
from ftpfw.server.embedded.transfers import Transfers
from ftpfw.server.embedded.turns import LONGEST_LINE


class Session(Login, Transfers):
    """One client."""

    proto_cmds = Transfers.proto_cmds | {"STAT": Transfers.proto_cmds["STAT"] | {"auth": True}}

    def __init__(self, conn: socket.socket, server: Any, seat: int, ioloop: Any = None) -> None:
        self._named = ""  # the argument as the client wrote it
        super().__init__(conn, server, seat, ioloop)

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        """Refuse what would break replies and logs."""
        if len(line.encode("utf-8", "surrogateescape")) > LONGEST_LINE:
            self.respond_w_warning("500 Command too long.")
            return
        if not is_clean(line):
            self.respond("501 Control characters are not understood.")
            return
        arg = without_options(arg) if cmd in LISTS else arg
        self._named = arg
        super().pre_process_command(line, cmd, arg)

    def process_command(self, cmd: str, *args: Any, **kwargs: Any) -> None:
        """Obey a command, if it is to be."""
        if verb_refused(self.site.settings, cmd):
            self.respond("502 Command not allowed.")
            return
        if cmd in JUDGED and self.authenticated and (args[0] or cmd != "STAT"):
            path = self.fs.ftp2fs(args[0]) if cmd != "STOU" else self._unique_path(args[0])
            refusal = judge(self.site.law, cmd, path)
            if refusal is None and not self._may_be_told(cmd, path):
                refusal = NOT_TO_BE_HAD
            if refusal is None and cmd == "MLSD" and not self.fs.lexists(path):
                refusal = NOT_TO_BE_HAD
            if refusal is not None:
                self._restart_position, self._rnfr = 0, None
                self.respond(refusal)
                self.log_cmd(cmd, args[0], int(refusal[:3]), refusal[4:])
                return
        super().process_command(cmd, *args, **kwargs)

    def _may_be_told(self, cmd: str, path: str) -> bool:
        """Whether a verb may tell of a file: not of uploads, nor of what cannot be fetched."""
        if cmd not in {"SIZE", "MDTM", "MLST"} or self.fs.isfile(path):
            return True
        return cmd == "MLST" and bool(self.fs.isdir(path))

    def ftp_CWD(self, path: str) -> Any:  # noqa: N802 -- the verb
        """Enter a directory, and show its message."""
        name = self.site.settings.messages.directory_file
        before = self.fs.cwd
        try:
            self.fs.chdir(path)
        except Exception as error:
            self.respond(f"550 {error}.")
            return None
        lines = read_message(self.site.jail, path, name) if name and path != before else ()
        self.say(250, (*lines, "Directory changed."))
        return path

    def ftp_NLST(self, path: str) -> Any:  # noqa: N802 -- the verb
        """Names alone."""
        try:
            names = self.fs.names(path, self._named)
        except FilesystemError as error:
            self.respond(f"550 {error}.")
            return None
        self.push_dtp_data(names, cmd="NLST")
        return path

    def ftp_STAT(self, path: str) -> Any:  # noqa: N802 -- the verb
        """Of the session no more than the client knows."""
        if path:
            return super().ftp_STAT(path)
        self.say(211, ("Status", f" logged in; TYPE {self._current_type.upper()}", "End"))
        return None
