"""One way in and out for all syntaxes: which one a text is in, its reader, its writer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ftpfw.server.options import Form, Option, Reading, Written
from ftpfw.server.proftpd import reader as proftpd_reader
from ftpfw.server.proftpd import writer as proftpd_writer
from ftpfw.server.proftpd.table import ROWS as PROFTPD_ROWS
from ftpfw.server.pureftpd import reader as pureftpd_reader
from ftpfw.server.pureftpd import writer as pureftpd_writer
from ftpfw.server.pureftpd.table import ROWS as PURE_FTPD_ROWS
from ftpfw.server.settings import Daemon, Path, Settings, changed
from ftpfw.server.vsftpd import reader as vsftpd_reader
from ftpfw.server.vsftpd import writer as vsftpd_writer
from ftpfw.server.vsftpd.table import ROWS as VSFTPD_ROWS
from ftpfw.server.wuftpd import reader as wuftpd_reader

DAEMON_OF = {
    Form.VSFTPD: Daemon.VSFTPD,
    Form.PURE_CONF: Daemon.PURE_FTPD,
    Form.PURE_ARGS: Daemon.PURE_FTPD,
    Form.PURE_DEBIAN: Daemon.PURE_FTPD,
    Form.PROFTPD: Daemon.PROFTPD,
    Form.WU_FTPD: Daemon.WU_FTPD,
}

TABLES: Mapping[Daemon, tuple[Option, ...]] = {
    Daemon.VSFTPD: VSFTPD_ROWS,
    Daemon.PURE_FTPD: PURE_FTPD_ROWS,
    Daemon.PROFTPD: PROFTPD_ROWS,
    Daemon.WU_FTPD: (),
}
"""Every option of a daemon; of wu-ftpd's, those that a file has."""

WRITERS: Mapping[Form, Callable[[Settings], Written]] = {
    Form.VSFTPD: vsftpd_writer.write,
    Form.PURE_CONF: lambda settings: pureftpd_writer.write(settings, Form.PURE_CONF),
    Form.PURE_ARGS: lambda settings: pureftpd_writer.write(settings, Form.PURE_ARGS),
    Form.PURE_DEBIAN: lambda settings: pureftpd_writer.write(settings, Form.PURE_DEBIAN),
    Form.PROFTPD: proftpd_writer.write,
}
"""Form → what writes it; wu-ftpd has none, since nobody should run it."""

_NAMES = {
    "vsftpd.conf": Form.VSFTPD,
    "pure-ftpd.conf": Form.PURE_CONF,
    "proftpd.conf": Form.PROFTPD,
    "ftpaccess": Form.WU_FTPD,
}
_SIGNS = (
    (Form.PURE_ARGS, re.compile(r"^\s*(\S*pure-ftpd\s+)?--?[A-Za-z0-9]", re.MULTILINE)),
    (Form.VSFTPD, re.compile(r"^[ \t]*[a-z0-9_]+=", re.MULTILINE)),
    (Form.WU_FTPD, re.compile(r"^(class|loginfails|passwd-check|log transfers)\s", re.MULTILINE)),
    (
        Form.PROFTPD,
        re.compile(
            r"^\s*(<\w+|(ServerName|ServerType|DefaultServer|Port)\s)", re.MULTILINE | re.IGNORECASE
        ),
    ),
    (Form.PURE_CONF, re.compile(r"^\s*[A-Z]\w+\s+(yes|no|[0-9])", re.MULTILINE)),
)


def guess_form(name: str, text: str) -> Form | None:
    """The syntax of a file, by its name or else by its first line that has the look of one."""
    if form := _NAMES.get(name.rpartition("/")[2]):
        return form
    return next((form for form, sign in _SIGNS if sign.search(text)), None)


def read_text(
    text: str, file: str, form: Form, include: Callable[..., Any] | None = None
) -> Reading:
    """A configuration in one file. ``include`` is that of the syntax's own module."""
    match form:
        case Form.VSFTPD:
            return vsftpd_reader.read(text, file)
        case Form.PURE_ARGS:
            return pureftpd_reader.read_args(text, file)
        case Form.PURE_CONF:
            return pureftpd_reader.read_conf(text, file, include)
        case Form.PROFTPD:
            return proftpd_reader.read(text, file, include)
        case Form.WU_FTPD:
            return wuftpd_reader.read(text, file)
        case Form.PURE_DEBIAN:
            raise ValueError("a directory of files is no text")


def amends(settings: Settings, changes: Mapping[Path, Any], form: Form) -> list[str]:
    """The lines by which a daemon's settings become others; none where it cannot say them."""
    after = changed(settings, changes)
    if form is Form.VSFTPD:
        return vsftpd_writer.amends(settings, after)
    if form is Form.PROFTPD:
        return proftpd_writer.amends(settings, after)
    if form is Form.WU_FTPD:
        return []
    return pureftpd_writer.amends(settings, after, form)
