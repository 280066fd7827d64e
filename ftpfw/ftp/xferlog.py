"""xferlog(5): one line a transferred file, as wu-ftpd, ProFTPD and vsftpd write it.

current-time transfer-time remote-host file-size filename transfer-type special-action-flag
direction access-mode username service-name authentication-method authenticated-user-id
completion-status
"""

from __future__ import annotations

from dataclasses import dataclass
from time import asctime, struct_time


@dataclass(frozen=True, slots=True)
class Line:
    """What a line tells. ``seconds`` is rounded up to whole ones by whoever measured.

    An anonymous user's name stands where those daemons put what was typed as a password.
    """

    ended: struct_time
    seconds: int
    host: str
    size: int
    path: str
    incoming: bool
    anonymous: bool
    user: str
    complete: bool


def format_line(line: Line) -> str:
    """The line; type b, no special action, authentication 0 *, which are the daemons' defaults."""
    fields = (
        asctime(line.ended),
        line.seconds,
        line.host,
        line.size,
        _one_word(line.path),
        "b",
        "_",
        "i" if line.incoming else "o",
        "a" if line.anonymous else "r",
        _one_word(line.user),
        "ftp",
        0,
        "*",
        "c" if line.complete else "i",
    )
    return " ".join(map(str, fields)) + "\n"


def _one_word(text: str) -> str:
    """A field: a blank would end it, a control character or half a character break the line."""
    return "".join(c if c.isprintable() and not c.isspace() else "_" for c in text) or "_"
