"""Which line of a TOML file a key or a list element stands on.

Spec: TOML 1.0. ``tomllib`` gives values without places, and an error in a
firewall's policy must name its line. This scanner is given text that ``tomllib``
has already accepted; so it refuses nothing, it only counts. It knows tables, arrays
of tables, dotted and quoted keys, inline tables, nested and multi-line arrays and
all four kinds of strings.

A path is a tuple of keys and list indexes: ``clients.allow[1]`` is
``("clients", "allow", 1)``, the third ``[[server]]``'s port ``("server", 2, "port")``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ftpfw.errors import PolicyError

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:\\.|(?!""")[^\\])*"{3,5}'  # the text may itself end in one or two quotes
    r"|'''(?:(?!''').)*'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


@dataclass(frozen=True, slots=True)
class Source:
    """A file's name and text, and where its keys stand; makes the errors that name them."""

    file: str
    lines: Mapping[KeyPath, int]
    text: str = field(default="", repr=False)

    def line(self, path: KeyPath) -> int:
        """The line of ``path``, or of the nearest thing around it: of the file, at last."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 1

    def error(self, path: KeyPath, what: str, *, mend: str) -> PolicyError:
        """The PolicyError for the value at ``path``; the text starts with its dotted name."""
        text = f"{format_path(path)}: {what}" if path else what
        return PolicyError(text, file=self.file, line=self.line(path), mend=mend)


def format_path(path: KeyPath) -> str:
    """``clients.allow[1]`` of ``("clients", "allow", 1)``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def locate_keys(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every table, key and list element of valid TOML."""
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.lines


@dataclass(slots=True)
class _Scanner:
    text: str
    at: int = 0
    line: int = 1
    counted: int = 0  # up to where ``line`` counts
    lines: dict[KeyPath, int] = field(default_factory=dict)
    arrays: dict[KeyPath, int] = field(default_factory=dict)  # [[path]] → how many so far

    def scan(self) -> None:
        table: KeyPath = ()
        self.skip_blank()
        while self.at < len(self.text):
            if self.take("[["):
                table = self.next_element(self.key())
                self.take("]]")
            elif self.take("["):
                table = self.resolve(self.key())
                self.note(table)
                self.take("]")
            else:
                self.assignment(table)
            self.skip_blank()

    def skip_blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        if match:
            self.at = match.end()

    def take(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def note(self, path: KeyPath) -> None:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        self.lines.setdefault(path, self.line)

    def key(self) -> KeyPath:
        """A dotted key: bare, quoted or mixed parts."""
        parts: list[str] = []
        while True:
            self.skip_blank()
            parts.append(self.key_part())
            self.skip_blank()
            if not self.take("."):
                return tuple(parts)

    def key_part(self) -> str:
        if bare := _BARE_KEY.match(self.text, self.at):
            self.at = bare.end()
            return bare.group()
        quoted = self.string()
        return str(tomllib.loads(f"key = {quoted}")["key"])

    def string(self) -> str:
        match = _STRING.match(self.text, self.at)
        assert match, "tomllib accepted this text"
        self.at = match.end()
        return match.group()

    def resolve(self, key: KeyPath) -> KeyPath:
        """A header's path, where a name of an array of tables means its last element."""
        path: KeyPath = ()
        for part in key:
            path = (*path, part)
            if path in self.arrays:
                path = (*path, self.arrays[path] - 1)
        return path

    def next_element(self, key: KeyPath) -> KeyPath:
        array = (*self.resolve(key[:-1]), key[-1])
        index = self.arrays.get(array, 0)
        self.arrays[array] = index + 1
        self.note(array)
        self.note((*array, index))
        return (*array, index)

    def assignment(self, table: KeyPath) -> None:
        """``key = value``, the key seen from ``table``."""
        self.skip_blank()
        start = len(table) + 1
        path = table + self.key()
        for end in range(start, len(path) + 1):
            self.note(path[:end])
        self.take("=")
        self.skip_blank()
        self.value(path)

    def value(self, path: KeyPath) -> None:
        if self.take("["):
            self.list_elements(path)
        elif self.take("{"):
            self.inline_table(path)
        elif self.text[self.at] in "\"'":
            self.string()
        elif scalar := _SCALAR.match(self.text, self.at):
            self.at = scalar.end()

    def list_elements(self, path: KeyPath) -> None:
        index = 0
        self.skip_blank()
        while not self.take("]"):
            self.note((*path, index))
            self.value((*path, index))
            index += 1
            self.skip_blank()
            self.take(",")
            self.skip_blank()

    def inline_table(self, path: KeyPath) -> None:
        self.skip_blank()
        while not self.take("}"):
            self.assignment(path)
            self.skip_blank()
            self.take(",")
            self.skip_blank()
