"""Reading a Pure-FTPd configuration, in whichever of its three syntaxes it is written.

The last of two equal options counts. Refused is what the daemon would not start with, and
what it takes for something else: octal numbers that are none, an address for a port.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ftpfw.server.options import Form, Given, Option, Reading, Trap, origins_of
from ftpfw.server.pureftpd.grammar import (
    Assignment,
    Include,
    no_number,
    parse_args,
    parse_conf,
    parse_debian,
)
from ftpfw.server.pureftpd.meaning import parse_bind, settings_of
from ftpfw.server.pureftpd.table import (
    COLON_PAIR,
    LOGINS,
    NUMBER,
    PAIR,
    RATE,
    ROWS,
    TABLE,
    UMASK,
    YES_NO,
)
from ftpfw.server.settings import Daemon, Origin, Settings, changed, settled

DEBIAN_PID_FILE = "/var/run/pure-ftpd/pure-ftpd.pid"
"""What Debian's wrapper adds to what the directory says."""

_LOGIN_NAMES = {keyword: name for name, keyword in LOGINS.items()}


def read_args(text: str, file: str) -> Reading:
    """The settings of a command line."""
    return _reading(parse_args(text, file), Form.PURE_ARGS, file)


def read_conf(text: str, file: str, include: Include | None = None) -> Reading:
    """The settings of a pure-ftpd.conf."""
    return _reading(parse_conf(text, file, include), Form.PURE_CONF, file)


def read_debian(texts: Mapping[str, str], auth: tuple[str, ...], directory: str) -> Reading:
    """The settings of a conf/ directory: file name → text; ``auth``: what auth/ names."""
    return _reading(parse_debian(texts, auth, directory), Form.PURE_DEBIAN, directory)


def value_of(option: Option, text: str) -> Any:
    """What an argument means, as the flag has it; ValueError says what is wrong with it."""
    match option.kind:
        case _ if not text:
            return ""
        case "yes or no":
            return text == "yes"
        case "a number":
            return _number(text)
        case "two numbers" | "two numbers and a colon" | "two octal numbers":
            return _pair(text, 8 if option.kind == UMASK else 10)
        case "one or two numbers":
            return _rate(text)
        case _:
            return text


def _number(text: str, base: int = 10) -> int:
    if not re.fullmatch(r"-?[0-9]{1,10}" if base == 10 else r"[0-7]{1,4}", text, re.ASCII):
        raise ValueError(f"{text!r} is no {'octal ' if base == 8 else ''}number")
    return int(text, base)


def _pair(text: str, base: int) -> tuple[int, int]:
    one, colon, other = text.partition(":")
    if not colon:
        raise ValueError(f"{text!r} is one number, where two are wanted")
    return _number(one, base), _number(other, base)


def _rate(text: str) -> tuple[int, int]:
    """Up and down. One number counts for both, an empty one is no limit."""
    up, colon, down = text.partition(":")
    rates = tuple(_number(one) if one else 0 for one in (up, down if colon else up))
    if not any(rates) or "0" in {up, down}:
        raise ValueError(f"{text!r} is no rate: nothing stands for no limit")
    return rates[0], rates[1]


def _reading(lines: list[Assignment], form: Form, file: str) -> Reading:
    last = {line.option.name: line for line in lines}
    values = {option.name: value_of(option, option.default) for option in ROWS}
    if form is Form.PURE_DEBIAN:
        values["PIDFile"] = DEBIAN_PID_FILE
    values |= {name: _checked(line) for name, line in last.items()}
    _check_together(last, values)
    sources = _sources(lines)
    origins = {name: line.place.origin(name) for name, line in last.items()}
    everything = changed(
        Settings(origins=origins_of(TABLE, origins, Origin(file))),
        settings_of(values, sources),
    )
    given = tuple(Given(line.option, line.text, origins[name]) for name, line in last.items())
    traps = tuple(_traps(last, values))
    return Reading(Daemon.PURE_FTPD, form, file, settled(everything), given, traps)


def _sources(lines: list[Assignment]) -> tuple[str, ...]:
    """Where accounts are, in the order of the lines; ``no`` takes a source away again."""
    found: dict[str, None] = {}
    for line in lines:
        name = _LOGIN_NAMES.get(line.option.name)
        if name and line.option.kind == YES_NO:
            found.pop(name, None)
            if line.text == "yes":
                found[name] = None
        elif name:
            found[f"{name}:{line.text}"] = None
    return tuple(found)


_BOUNDS = {
    "MaxClientsNumber": (1, 2**31),
    "MaxClientsPerIP": (1, 2**31),
    "MaxDiskUsage": (1, 100),
    "MaxLoad": (1, 2**31),
    "MinUID": (0, 2**32 - 1),
    "TrustedGID": (0, 2**32 - 1),
    "MaxIdleTime": (1, 2**31),
    "TLS": (0, 3),
}


def _checked(line: Assignment) -> Any:
    """An option's value. ConfigError for what the daemon does not take."""
    option = line.option
    try:
        value = value_of(option, line.text)
        if option.name == "Bind":
            parse_bind(line.text)
    except ValueError as error:
        raise no_number(option, line.place, str(error)) from None
    if option.kind == NUMBER:
        lowest, highest = _BOUNDS[option.name]
        if not lowest <= value <= highest:
            what = f"{option.name} is {value}, but {lowest} to {highest} is possible"
            raise no_number(option, line.place, what)
    if option.name == "AltLog" and not re.fullmatch(r"(clf|stats|w3c|xferlog):/.+", value):
        what = f"{value!r} is no format and file"
        raise line.place.error(what, mend="clf:/var/log/pure-ftpd.log, or stats, w3c, xferlog")
    if option.name == "PassivePortRange" and not 1024 <= value[0] <= value[1] <= 65535:
        mend = "the lower port first, and none below 1024: 50000 50100"
        raise line.place.error(f"{value[0]} to {value[1]} are no passive ports", mend=mend)
    if option.name == "LimitRecursion" and 0 in value:
        raise no_number(option, line.place, "a listing has an entry and a level at least")
    if (
        option.kind in {PAIR, COLON_PAIR, RATE}
        and min(value) < 0
        and option.name != "LimitRecursion"
    ):
        raise no_number(option, line.place, f"{option.name} has a number below 0")
    return value


def _check_together(last: dict[str, Assignment], values: dict[str, Any]) -> None:
    if values["IPV4Only"] and values["IPV6Only"]:
        what = "IPV4Only and IPV6Only exclude each other"
        raise last["IPV6Only"].place.error(what, mend="leave out one, or both to listen on both")


def _traps(last: dict[str, Assignment], values: dict[str, Any]) -> list[Trap]:
    """Options that do not do what their name says."""
    uploads = not values["NoAnonymous"] and not values["AnonymousCantUpload"]
    found = []
    if values["AutoRename"] and uploads:
        found.append(
            Trap(
                "auto-rename-append",
                last["AutoRename"].place.origin("AutoRename"),
                "with AutoRename an anonymous client that has stored a file can overwrite any"
                " upload by APPE in the same session (measured on 1.0.50)",
                "leave AutoRename out",
            )
        )
    if values["KeepAllFiles"] and not values["AnonymousOnly"]:
        found.append(
            Trap(
                "keep-all-files",
                last["KeepAllFiles"].place.origin("KeepAllFiles"),
                "KeepAllFiles stops DELE alone: files can still be overwritten, renamed over each"
                " other, and empty directories removed (measured on 1.0.50)",
                "add NoRename yes, and AutoRename yes if nobody uploads anonymously",
            )
        )
    return found
