r"""The lines of a proftpd.conf, as a tree of contexts.

    directive  = name *( blank argument )
    context    = "<" name *( blank argument ) ">" *( directive / context ) "</" name ">"
    argument   = word / '"' *( char / "\" char ) '"'

Names are the same in either case. A backslash at the end of a line continues it; inside quotes
alone it takes the next character as it is. ``#`` begins a comment before a word. What stands in
``<IfModule>`` and ``<IfDefine>`` belongs to what is around them, or is left out; ``Include`` is
answered by a function that the caller gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ftpfw.errors import ConfigError
from ftpfw.server.options import Files, Place, unknown
from ftpfw.server.proftpd.table import MODULES, TABLE

Include = Callable[[str, Place], Sequence[tuple[str, str]]]
"""The files that an Include means, in order, as (name, text)."""

_NAMES = {name.lower(): name for name in TABLE}
_WORD = re.compile(r'"((?:\\.|[^"\\])*)"|([^\s"][^\s]*)')
LETTERS = {
    "": "s",
    "VirtualHost": "v",
    "Global": "g",
    "Anonymous": "a",
    "Directory": "d",
    "Limit": "l",
    "Class": "c",
}


@dataclass(frozen=True, slots=True)
class Directive:
    """A line with its arguments; ``known`` is False for what the table has not."""

    name: str
    arguments: tuple[str, ...]
    place: Place
    known: bool = True


@dataclass(slots=True)
class Context:
    """What stands between ``<kind …>`` and ``</kind>``; the whole file has no kind.

    ``heard`` are the names of its directives that a setting has been taken from.
    """

    kind: str
    arguments: tuple[str, ...]
    place: Place
    directives: list[Directive] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)

    def inner(self, kind: str) -> list[Context]:
        """The contexts of a kind in this one."""
        return [one for one in self.contexts if one.kind == kind]

    def first(self, name: str) -> Directive | None:
        """The line of a directive that counts: of several the first (measured on 1.3.8)."""
        return next((one for one in self.directives if one.name == name), None)


def parse(text: str, file: str, include: Include | None, defined: frozenset[str]) -> Context:
    """The tree of a file. ConfigError for what ProFTPD does not start with."""
    start = Place(file, 1, text.partition("\n")[0], 0, 0)
    parser = _Parser(include, defined, [Context("", (), start)])
    parser.read(text, file)
    if len(parser.around) > 1 or parser.conditions:
        left = parser.conditions[-1][0] if parser.conditions else parser.around[-1].place
        name = left.text[left.start : left.end]
        raise left.error(f"{name} is not closed", mend=f"</{name.strip('<>').split()[0]}>")
    return parser.around[0]


@dataclass(slots=True)
class _Parser:
    include: Include | None
    defined: frozenset[str]
    around: list[Context]
    conditions: list[tuple[Place, str, bool]] = field(default_factory=list)
    modules: set[str] = field(default_factory=lambda: set(MODULES))
    files: Files = field(default_factory=Files)

    def read(self, text: str, file: str) -> None:
        for place, line in _logical_lines(text, file):
            if close := re.fullmatch(r"</(\w+)>", line):
                self.close(close[1], place)
            elif opening := re.fullmatch(r"<(\w+)\s*(.*)>", line):
                self.begin(opening[1], opening[2], place)
            elif not self.left_out():
                self.directive(line, place)

    def left_out(self) -> bool:
        return any(not holds for _, _, holds in self.conditions)

    def begin(self, name: str, rest: str, place: Place) -> None:
        if name.lower() in {"ifmodule", "ifdefine"}:
            wanted = rest.strip().strip('"')
            among = self.modules if name.lower() == "ifmodule" else self.defined
            holds = (wanted.removeprefix("!") in among) != wanted.startswith("!")
            self.conditions.append((place, name.lower(), holds))
            return
        if self.left_out():
            self.conditions.append((place, name.lower(), True))
            return
        if name.lower() in _BY_SESSION:
            what = f"<{name}> has settings for some sessions alone, which are not read here"
            raise place.error(what, mend="take it out, and look at what it holds yourself")
        kind = _NAMES.get(f"<{name.lower()}>")
        if kind is None:
            raise place.error(f"there is no context <{name}>", mend=unknown(f"<{name}>", TABLE))
        arguments = _arguments(rest, place)
        if not arguments and kind != "<Global>":
            raise place.error(f"{kind} of what?", mend=f"as in {_OPENINGS[kind]}")
        self.require_allowed(kind, place)
        jailed = any(one.kind == "Anonymous" for one in self.around)
        if kind == "<Directory>" and not jailed and not arguments[0].startswith(("/", "~")):
            what = f"{arguments[0]!r} is relative, outside of <Anonymous>"
            raise place.error(what, mend="as in <Directory /srv/ftp>")
        made = Context(kind.strip("<>"), arguments, place)
        self.around[-1].contexts.append(made)
        self.around.append(made)

    def close(self, name: str, place: Place) -> None:
        if self.conditions and self.conditions[-1][1] == name.lower():
            self.conditions.pop()
            return
        kind = self.around[-1].kind
        if kind.lower() != name.lower() or not kind or self.left_out():
            mend = f"</{kind}>" if kind else "leave it out"
            raise place.error(f"</{name}> closes nothing here", mend=mend)
        self.around.pop()

    def directive(self, line: str, place: Place) -> None:
        name, _, rest = line.partition(" ")
        written, canonical = name, _NAMES.get(name.lower())
        arguments = _arguments(rest, place)
        if canonical is not None:
            self.require_allowed(canonical, place)
        if canonical == "LoadModule":
            self.modules |= {*arguments}
        elif canonical == "Define":
            self.defined |= {*arguments[:1]}
        if canonical == "Include":
            self.included(arguments, place)
            return
        found = Directive(canonical or written, arguments, place, canonical is not None)
        self.around[-1].directives.append(found)

    def included(self, arguments: tuple[str, ...], place: Place) -> None:
        if self.include is None or len(arguments) != 1:
            what = "there is no file to include here"
            raise place.error(what, mend="put its lines in its place")
        for file, text in self.include(arguments[0], place):
            self.files.enter(place)
            self.read(text, file)
            self.files.leave()

    def require_allowed(self, name: str, place: Place) -> None:
        context = self.around[-1].kind
        if LETTERS[context] not in TABLE[name].kind:
            where = f"in <{context}>" if context else "outside of all contexts"
            possible = [
                kind or "the server"
                for kind, letter in LETTERS.items()
                if letter in TABLE[name].kind
            ]
            raise place.error(
                f"{name} is not possible {where}", mend=f"put it into {' or '.join(possible)}"
            )


_BY_SESSION = {"ifuser", "ifgroup", "ifclass", "ifauthenticated"}
"""Contexts of mod_ifsession."""

_OPENINGS = {
    "<Anonymous>": "<Anonymous ~ftp>",
    "<Directory>": "<Directory /srv/ftp>",
    "<Limit>": "<Limit WRITE>",
    "<VirtualHost>": "<VirtualHost 192.0.2.1>",
    "<Class>": "<Class inside>",
}


def _logical_lines(text: str, file: str) -> Iterator[tuple[Place, str]]:
    """Lines without comment and blanks around, joined where a backslash says so."""
    joined, first, shown = "", 0, ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r")
        if not joined:
            first, shown = number, line
        if line.endswith("\\"):
            joined += line[:-1]
            continue
        whole = (joined + line).strip()
        joined = ""
        meant = re.sub(r"\s", " ", _without_comment(whole)).strip()
        if meant:
            start = len(shown) - len(shown.lstrip())
            yield Place(file, first, shown, start, len(shown.rstrip())), meant
    if joined.strip():
        yield Place(file, first, shown, 0, len(shown)), joined.strip()


def _without_comment(line: str) -> str:
    quoted = False
    for at, char in enumerate(line):
        if char == '"' and line[at - 1 : at] != "\\":
            quoted = not quoted
        elif char == "#" and not quoted and (at == 0 or line[at - 1].isspace()):
            return line[:at]
    return line


def _arguments(text: str, place: Place) -> tuple[str, ...]:
    found = []
    at = 0
    for match in _WORD.finditer(text):
        if text[at : match.start()].strip():
            break
        at = match.end()
        quoted, word = match.groups()
        found.append(word if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
    if text[at:].strip():
        raise place.error("a quote is not closed", mend='close it with "')
    return tuple(found)


def wrong(directive: Directive, what: str, example: str) -> ConfigError:
    """The error for arguments that mean nothing."""
    return directive.place.error(
        f"{directive.name}: {what}", mend=f"as in {directive.name} {example}"
    )
