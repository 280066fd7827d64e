"""The arguments of directives: switches, numbers, times, sizes, ports, umasks.

ConfigError, at the directive, for one that means nothing.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from ftpfw.server.proftpd.grammar import Directive, wrong
from ftpfw.server.settings import Host

TRUE = {"on", "yes", "true", "1"}
FALSE = {"off", "no", "false", "0"}
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}
_SPANS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hr": 3600}


def boolean(line: Directive | None, default: bool) -> bool:
    """On or off."""
    if line is None:
        return default
    word = line.arguments[0].lower() if line.arguments else ""
    if word not in TRUE | FALSE:
        raise wrong(line, f"{word!r} is neither on nor off", "on")
    return word in TRUE


def number(
    line: Directive | None, default: int | None, *, lowest: int = 0, highest: int = 2**31
) -> int | None:
    """A number; ``none`` is None."""
    if line is None:
        return default
    word = line.arguments[0] if line.arguments else ""
    if word.lower() == "none":
        return None
    if not re.fullmatch(r"[0-9]{1,10}", word, re.ASCII) or not lowest <= int(word) <= highest:
        what = f"{word!r} is no number from {lowest} to {highest}"
        raise wrong(line, what, str(max(lowest, 10)))
    return int(word)


def text(line: Directive | None, default: str | None = None) -> str | None:
    """The first argument; ``none`` is None."""
    if line is None:
        return default
    if not line.arguments:
        raise wrong(line, "it has no argument", "VALUE")
    return None if line.arguments[0].lower() == "none" else line.arguments[0]


def seconds(line: Directive | None, default: int) -> int | None:
    """A time, as in 60, 5m or 1h; 0 is None."""
    word = line.arguments[0].lower() if line and line.arguments else str(default)
    match = re.fullmatch(r"([0-9]{1,10})([a-z]*)", word, re.ASCII)
    if not match or match[2] not in _SPANS or int(match[1]) >= 2**31:
        assert line
        raise wrong(line, f"{word!r} is no time", "300")
    return int(match[1]) * _SPANS[match[2]] or None


def parse_host(word: str) -> Host:
    """An address, or else a name."""
    try:
        return ip_address(word)
    except ValueError:
        return word


def port_range(line: Directive) -> range:
    """The ports from the first to the last."""
    if len(line.arguments) != 2 or not all(
        re.fullmatch("[0-9]{1,5}", a, re.ASCII) for a in line.arguments
    ):
        raise wrong(line, "it takes two ports", "50000 50100")
    first, last = map(int, line.arguments)
    if not 1024 <= first < last <= 65535:
        what = f"{first} to {last} is no range of ports from 1024 to 65535"
        raise wrong(line, what, "50000 50100")
    return range(first, last + 1)


def umasks(line: Directive | None) -> tuple[int, int]:
    """That of files, and that of directories."""
    masks = line.arguments if line else ("022",)
    if not masks or not all(re.fullmatch("[0-7]{1,4}", mask) for mask in masks):
        assert line
        raise wrong(line, f"{' '.join(masks)!r} is no umask", "0177 0077")
    return int(masks[0], 8) & 0o777, int(masks[-1], 8) & 0o777


def size(line: Directive | None) -> int | None:
    """Bytes, as in 500 Mb; ``*`` is None."""
    if line is None or line.arguments[:1] == ("*",):
        return None
    if (
        len(line.arguments) < 2
        or line.arguments[1].lower() not in _UNITS
        or not line.arguments[0].isdecimal()
    ):
        raise wrong(line, "it takes a number and a unit", "500 Mb")
    return int(line.arguments[0]) * _UNITS[line.arguments[1].lower()]


def bound(line: Directive | None, word: str | None) -> int | None:
    """A number from 1 on, that is one of a directive's words."""
    if word is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,8}", word, re.ASCII):
        assert line
        raise wrong(line, f"{word!r} is no number from 1 on", '"-l" maxdepth 3 maxfiles 2000')
    return int(word)
