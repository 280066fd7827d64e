"""Transfers of a session: what goes over a data connection, and what is written down of it."""

from __future__ import annotations

import os
import secrets
import time
from typing import Any

from ftpfw.ftp.xferlog import Line, format_line
from ftpfw.server.embedded.download import Download, send_small
from ftpfw.server.embedded.judge import DENIED, may_overwrite, may_resume
from ftpfw.server.embedded.opening import Opening
from ftpfw.server.embedded.paths import split
from ftpfw.server.embedded.upload import Plan, Refused, Upload


class Transfers(Opening):
    """Sends and stores."""

    def push_dtp_data(
        self, data: Any, isproducer: bool = False, file: Any = None, cmd: str | None = None
    ) -> None:
        """Send a file or a listing over the data connection, which may still have to come."""
        if not self._has_data():
            if file is not None:
                file.close()
            return
        if self._dtp_acceptor is not None:
            self._dtp_acceptor.handle_read_event()  # it may have come, and not be noticed yet
        if isinstance(file, Download):
            begins = f"150 Opening data connection ({file.size} bytes)."
            if self._sends_at_once(file, begins):
                return
        else:
            begins = "150 Opening data connection."
        self.respond(begins)
        self._out_dtp_queue = (data, isproducer, file, cmd)
        self._begin()

    def _sends_at_once(self, file: Download, begins: str) -> bool:
        """Whether a small file has gone over the data connection that waits, whole.

        Both replies go in one segment then: a second one would wake the client once more.
        """
        rate = self.site.settings.limits.anonymous_download_rate
        sock = self._connected
        if sock is None or rate is not None or self._current_type != "i":
            return False
        if not send_small(sock, file):
            return False
        self._connected = None
        sock.close()
        file.close()
        self._transferred = time.monotonic()
        self.respond(f"{begins}\r\n226 Transfer complete.")
        self.log_transfer("RETR", file.name, False, True, 0.0, file.size)
        return True

    def _receive(self, upload: Upload, cmd: str, reply: str) -> None:
        self.respond(reply)
        self._in_dtp_queue = (upload, cmd)
        self._begin()

    def ftp_ABOR(self, line: str) -> None:  # noqa: N802 -- the verb
        """End the transfer that runs or waits, which is answered first (RFC 959 4.1.3)."""
        del line
        if not self._is_transferring():
            self._forget_data()
            self.respond("225 No transfer to abort.")
            return
        data = self.data_channel
        if data is not None and data.is_running():
            data.abort("426 Transfer aborted.")
        else:
            self._forget_data()
            self.fail_transfer("426 Transfer aborted.")
        self.respond("226 Abort successful.")

    def _on_dtp_close(self) -> None:
        """A data connection is closed: what has waited goes on."""
        self._transferred = time.monotonic()
        quit_after, self._quit_pending = self._quit_pending, False
        super()._on_dtp_close()
        if quit_after:
            self.close_when_done()
        else:
            self.go_on()

    def log_transfer(  # noqa: PLR0917 -- pyftpdlib's
        self,
        cmd: str,
        filename: str,
        receive: bool,
        completed: bool,
        elapsed: float,
        bytes: int,  # noqa: A002 -- pyftpdlib's name
    ) -> None:
        """Write a transfer of a file down."""
        del cmd
        way = "stored" if receive else "fetched"
        self.note(f"{filename} {way}, {bytes} bytes{'' if completed else ', incomplete'}")
        if self.site.transfers is None:
            return
        line = format_line(
            Line(
                time.localtime(),
                max(1, round(elapsed)),
                self.remote_ip,
                bytes,
                f"{self.site.jail.directory.rstrip('/')}{filename}",
                receive,
                True,
                self.password or self.username,
                completed,
            )
        )
        os.write(self.site.transfers, line.encode("utf-8", "surrogateescape"))

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:  # noqa: N802 -- the verb
        """Store a file."""
        append = mode == "a"
        at, self._restart_position = self._restart_position, 0
        if at and not may_resume(self.site.law, file):
            self.respond(DENIED)
            return None
        return self._store("APPE" if append else "STOR", file, append, at, "")

    def ftp_STOU(self, line: str) -> Any:  # noqa: N802 -- the verb
        """Store a file under a name of its own."""
        path = f"{self._unique_path(line)}.{secrets.token_hex(4)}"
        self._restart_position = 0
        return self._store("STOU", path, False, 0, f"FILE: {split(path)[1]}")

    def _unique_path(self, line: str) -> str:
        return str(self.fs.ftp2fs(line or "upload"))

    def _store(self, verb: str, path: str, append: bool, at: int, said: str) -> Any:
        if not self._has_data():
            return None
        settings = self.site.settings
        anonymous, files = settings.anonymous, settings.files
        plan = Plan(
            *split(path),
            files.base_mode & ~anonymous.file_umask & 0o777,
            hidden=files.hidden_until_complete,
            replace=may_overwrite(self.site.law, path),
            rename=files.rename_uploads,
            keep_partial=files.keep_partial,
            append=append,
            at=at,
        )
        try:
            upload = self.fs.create(verb, path, plan, self.site.take)
        except Refused as refused:
            self.respond(str(refused))
            return None
        self._receive(upload, verb, f"150 {said or 'Ok to send data.'}")
        return path
