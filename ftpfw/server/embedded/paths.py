"""Paths as clients name them: always below the root of what they see, which is ``/``.

A name that is stored is held to more than one that is fetched: what a stranger picks must mean
nothing to a shell, a terminal, a mail reader or a listing.
"""

from __future__ import annotations

LONGEST = 200
"""Bytes of a stored name, which leave room for what is put behind it."""

_MEANS_SOMETHING = frozenset("\\*?\"'<>|$`;&!#%{}[]")
_FIRST = frozenset("-~. ")


def join(current: str, argument: str) -> str:
    """The path that a client means, in its one form; nothing is above ``/``."""
    whole = argument if argument.startswith("/") else f"{current}/{argument}"
    found: list[str] = []
    for part in whole.split("/"):
        if part == "..":
            del found[-1:]
        elif part not in {"", "."}:
            found.append(part)
    return "/" + "/".join(found)


def split(path: str) -> tuple[str, str]:
    """The directory of a path in its one form, and the name in it."""
    directory, _, name = path.rpartition("/")
    return directory or "/", name


def is_hidden(path: str) -> bool:
    """Whether a name in the path begins with a dot."""
    return "/." in path


def is_within(path: str, directory: str) -> bool:
    """Whether a path is a directory or below it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def is_odd(name: str) -> bool:
    """Whether a name is refused for what a client stores."""
    return (
        not name
        or len(name.encode("utf-8", "surrogateescape")) > LONGEST
        or name[0] in _FIRST
        or name[-1] in " ."
        or any(char in _MEANS_SOMETHING or not char.isprintable() for char in name)
    )


def is_clean(line: str) -> bool:
    """Whether a command line has no control character, which would break replies and logs."""
    return line.isprintable() or not any(char < " " or char == "\x7f" for char in line)


def shown(name: str) -> str:
    """A name of a file, fit for a line of a listing."""
    return name if is_clean(name) else "".join(c if is_clean(c) else "?" for c in name)
