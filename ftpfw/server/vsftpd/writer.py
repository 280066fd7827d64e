"""Settings to the text of a vsftpd.conf.

What the daemon does by itself is left out, but for what an administrator wants to see said:
who may log in, who may write, and the passive ports.
"""

from __future__ import annotations

import re
from typing import Any

from ftpfw.server.options import Option, Written, unexpressed
from ftpfw.server.settings import Settings, settled
from ftpfw.server.vsftpd.meaning import values_of
from ftpfw.server.vsftpd.reader import LARGEST, read, value_of
from ftpfw.server.vsftpd.table import NUMBER, ROWS, YES_NO

SAID = {
    "anonymous_enable",
    "local_enable",
    "write_enable",
    "anon_upload_enable",
    "anon_other_write_enable",
    "pasv_min_port",
    "pasv_max_port",
    "max_clients",
    "max_per_ip",
}
"""Said even where it is the default."""

_LINE = re.compile(r"[^\n\r\0]*")
"""A text of more than a line would be read as options."""

_OCTAL = {"anon_umask", "local_umask", "file_open_mode", "chown_upload_mode"}


def write(settings: Settings) -> Written:
    """A commented vsftpd.conf, and what it cannot say."""
    wanted = settled(settings)
    values = values_of(wanted)
    rows = [row for row in ROWS if row.name in values and _is_said(row, values[row.name])]
    text = "".join(f"# {row.what}\n{row.name}={_text(row, values[row.name])}\n" for row in rows)
    got = read(text, "vsftpd.conf").settings
    return Written(text, unexpressed(wanted, got))


def amends(before: Settings, after: Settings) -> list[str]:
    """The lines that make one configuration the other."""
    old, new = values_of(settled(before)), values_of(settled(after))
    plain = {row.name: value_of(row, row.default) for row in ROWS} | old
    rows = [row for row in ROWS if row.name in new and new[row.name] != plain[row.name]]
    return [f"{row.name}={_text(row, new[row.name])}" for row in rows]


def _is_said(row: Option, value: Any) -> bool:
    return row.name in SAID or value != value_of(row, row.default)


def _text(row: Option, value: Any) -> str:
    """How an option's value is written; its default where that cannot be."""
    if row.kind == YES_NO:
        return "YES" if value else "NO"
    if row.kind == NUMBER:
        return f"0{value:o}" if row.name in _OCTAL and value else str(min(value, LARGEST))
    return value if _LINE.fullmatch(value) else row.default
