"""Settings to Pure-FTPd's options, in each of its three syntaxes.

What the daemon does by itself is left out, but for who may log in, uploads and the passive ports.
Debian's directory is written as the commands that make its files.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from ftpfw.server.options import Form, Option, Written, unexpressed
from ftpfw.server.pureftpd.grammar import parse_args
from ftpfw.server.pureftpd.meaning import logins_of, values_of
from ftpfw.server.pureftpd.reader import read_args, read_conf, read_debian, value_of
from ftpfw.server.pureftpd.table import (
    COLON_PAIR,
    FLAGS,
    LOGIN_FLAG,
    LOGINS,
    NOT_DEBIAN,
    RATE,
    ROWS,
    TABLE,
    TEXT,
    UMASK,
    YES_NO,
)
from ftpfw.server.settings import Settings, settled

SAID = {"NoAnonymous", "AnonymousOnly", "AnonymousCantUpload", "PassivePortRange"}
"""Said even where it is the default."""

CONF = "/etc/pure-ftpd/conf"
AUTH = "/etc/pure-ftpd/auth"
_NAMES = {keyword: name for name, keyword in LOGINS.items()}
_LINE = re.compile(r"[!-~]*")
"""What no syntax takes for more than one argument."""


def write(settings: Settings, form: Form) -> Written:
    """The configuration in one of the syntaxes, and what it cannot say."""
    wanted = settled(settings)
    options = [one for one in _options(wanted) if _is_known(one[0], form)]
    match form:
        case Form.PURE_ARGS:
            text = f"pure-ftpd {_args(options)}\n"
            got = read_args(text, "pure-ftpd")
        case Form.PURE_CONF:
            text = _conf(options)
            got = read_conf(text, "pure-ftpd.conf")
        case _:
            text = _debian(options)
            files = {row.name: _debian_text(row, argument) for row, argument in options}
            auth = tuple(row.name for row, _ in options if row.name in _NAMES)
            got = read_debian(files, auth, CONF)
    return Written(text, unexpressed(wanted, got.settings))


def amends(before: Settings, after: Settings, form: Form) -> list[str]:
    """The lines, or the flags, that make one configuration the other."""
    old = {row.name: text for row, text in _options(settled(before))}
    new = {row.name: text for row, text in _options(settled(after))}
    found = []
    for name in dict.fromkeys((*old, *new)):
        row, text = TABLE[name], new.get(name, TABLE[name].default)
        if text == old.get(name, row.default):
            continue
        if form is not Form.PURE_ARGS:
            said = _conf_text(row, text) if form is Form.PURE_CONF else _debian_text(row, text)
            found.append(f"{name} {said}" if text else f"without {name}")
        elif text in {"", "no"} or name not in new:
            found.append(f"without {_args([(row, old[name])])}")
        else:
            found.append(_args([(row, text)]))
    return found


def _is_known(row: Option, form: Form) -> bool:
    """Whether a syntax has the option."""
    return form is not Form.PURE_DEBIAN or row.name not in NOT_DEBIAN


def _options(settings: Settings) -> list[tuple[Option, str]]:
    """Each option that is said, with its argument as for the flag."""
    values = values_of(settings)
    said = [(row, _text(row, values[row.name])) for row in ROWS if row.name in values]
    kept = [
        (row, text)
        for row, text in said
        if row.name in SAID or value_of(row, text) != value_of(row, row.default)
    ]
    sources = settings.users.sources if settings.users.enabled else ()
    logins = [(TABLE[keyword], text) for keyword, text in logins_of(sources)]
    return [(row, text) for row, text in (*kept, *logins) if text and _LINE.fullmatch(text)]


def _text(row: Option, value: Any) -> str:
    if row.kind == YES_NO:
        return "yes" if value else "no"
    if row.kind == UMASK:
        return ":".join(f"{number:03o}" for number in value)
    if row.kind == RATE and value:
        return ":".join(str(rate or "") for rate in value)
    if isinstance(value, tuple):
        return ":".join(map(str, value))
    return "" if value is None else str(value)


def _args(options: Sequence[tuple[Option, str]]) -> str:
    return " ".join(
        f"-{letter} {shlex.quote(argument)}" if argument else f"-{letter}"
        for letter, argument in _flags(options)
    )


def _flags(options: Sequence[tuple[Option, str]]) -> Iterator[tuple[str, str]]:
    """Each flag's letter and argument; no argument where it takes none."""
    for row, text in options:
        if row.name in _NAMES:
            name = _NAMES[row.name]
            yield LOGIN_FLAG.short, name if row.kind == YES_NO else f"{name}:{text}"
        elif row.kind != YES_NO:
            yield FLAGS[row.name].short, text
        elif text == "yes":
            yield FLAGS[row.name].short, ""


def in_few_words(args: str) -> str:
    """The same command line with flags joined and arguments at their flags.

    inetd gives a program 20 words of its line, its name among them, and drops the others.
    """
    flags = list(_flags([(one.option, one.text) for one in parse_args(args, "pure-ftpd")]))
    alone = "".join(letter for letter, argument in flags if not argument)
    words = [shlex.quote(f"-{letter}{argument}") for letter, argument in flags if argument]
    return " ".join(["pure-ftpd", *([f"-{alone}"] if alone else []), *words])


def _conf(options: Sequence[tuple[Option, str]]) -> str:
    return "".join(f"# {row.what}\n{row.name} {_conf_text(row, text)}\n" for row, text in options)


def _conf_text(row: Option, text: str) -> str:
    if row.kind == RATE:  # one direction without a limit has no words here: both get the other's
        return text.strip(":").replace(":", " ")
    return text if row.kind in {COLON_PAIR, UMASK, TEXT} else text.replace(":", " ")


def _debian_text(row: Option, text: str) -> str:
    return text if row.kind in {TEXT, RATE} else text.replace(":", " ")


def _debian(options: Sequence[tuple[Option, str]]) -> str:
    lines = [f"cd {CONF}\n"]
    for row, text in options:
        argument = _debian_text(row, text)
        lines.append(f"# {row.what}\necho {shlex.quote(argument)} > {row.name}\n")
    for number, (row, _) in enumerate(one for one in options if one[0].name in _NAMES):
        lines.append(f"ln -sf {CONF}/{row.name} {AUTH}/{number + 1}0{_NAMES[row.name]}\n")
    return "".join(lines)
