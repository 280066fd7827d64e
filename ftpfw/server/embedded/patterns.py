"""Patterns that file names are held to, as the daemons match them.

vsftpd's (vsftpd.conf(5), deny_file): ``?``, ``*`` and ``{a,b}``, tried on the last name of a path
and on the path. POSIX's extended expressions: as Python's, with its classes; found anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from ftpfw.server.embedded.paths import split
from ftpfw.server.settings import Names, Syntax

Match = Callable[[str], bool]

_CLASSES = {
    "[:alnum:]": "a-zA-Z0-9",
    "[:alpha:]": "a-zA-Z",
    "[:digit:]": "0-9",
    "[:lower:]": "a-z",
    "[:upper:]": "A-Z",
    "[:space:]": r"\s",
    "[:blank:]": r" \t",
    "[:cntrl:]": r"\x00-\x1f\x7f",
    "[:punct:]": r"!-/:-@\[-`{-~",
    "[:xdigit:]": "0-9A-Fa-f",
    "[:print:]": r" -~",
    "[:graph:]": r"!-~",
}


@cache
def matcher(names: Names) -> Match:
    """What says whether a path matches. ValueError for a pattern that is none."""
    if names.syntax is Syntax.VSFTPD:
        whole = re.compile(_glob(names.pattern), re.DOTALL)
        return lambda path: bool(whole.fullmatch(split(path)[1]) or whole.fullmatch(path))
    try:
        anywhere = re.compile(_python(names.pattern))
    except re.error as error:
        raise ValueError(f"{names.pattern!r}: {error}") from error
    return lambda path: bool(anywhere.search(path))


def _python(pattern: str) -> str:
    for name, chars in _CLASSES.items():
        pattern = pattern.replace(name, chars)
    return pattern


def _glob(pattern: str) -> str:
    """As an expression; a comma between braces is an "or", elsewhere itself."""
    depth, out = 0, []
    for char in pattern:
        match char:
            case "*":
                out.append(".*")
            case "?":
                out.append(".")
            case "{":
                depth += 1
                out.append("(?:")
            case "}" if depth:
                depth -= 1
                out.append(")")
            case "," if depth:
                out.append("|")
            case _:
                out.append(re.escape(char))
    return "".join(out) + ")" * depth
