"""What the tables of the daemons' options are made of, and what reading a file gives.

Each daemon has one table that names every option it knows: its true default, the settings
it has a say in, and what becomes of it on a server that is not that daemon.

    obeyed    it is in the model
    ignored   it is not, and nothing gets less safe for it
    refused   it is not, and a server that did without it would let through what it forbids

An option that stands for one setting alone is linked to it, both ways. What takes several
options to say is translated by the daemon's module.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from ftpfw.errors import ConfigError
from ftpfw.server.settings import Daemon, Origin, Path, Settings, alike, differences, matters


class Standing(StrEnum):
    """What becomes of an option on another server."""

    OBEYED = "obeyed"
    IGNORED = "ignored"
    REFUSED = "refused"


class Form(StrEnum):
    """A syntax that configurations are written in."""

    VSFTPD = "vsftpd"
    PURE_CONF = "pure-ftpd"
    PURE_ARGS = "pure-ftpd-args"
    PURE_DEBIAN = "pure-ftpd-debian"
    PROFTPD = "proftpd"
    WU_FTPD = "wu-ftpd"


@dataclass(frozen=True, slots=True)
class Place:
    """A piece of a line of a file; ``start`` and ``end`` are columns from 0."""

    file: str
    line: int
    text: str
    start: int
    end: int

    def error(self, what: str, *, mend: str) -> ConfigError:
        """The error that points at this piece."""
        return ConfigError(
            what,
            file=self.file,
            line=self.line,
            text=self.text,
            span=(self.start, self.end),
            mend=mend,
        )

    def origin(self, option: str) -> Origin:
        """The same, for a value that is right."""
        return Origin(self.file, self.line, option)


@dataclass(slots=True)
class Files:
    """Counts the files that a configuration includes, so that reading it comes to an end.

    ``depth``: those within each other that are being read; ``count``: all of them so far.
    """

    depth: int = 0
    count: int = 0

    def enter(self, place: Place) -> None:
        """One more begins, which ``place`` includes. ConfigError where there are too many."""
        if self.depth == _DEEPEST or self.count == _MOST:
            what = (
                "files include each other"
                if self.depth == _DEEPEST
                else "too many files are included"
            )
            raise place.error(what, mend="leave this line out")
        self.depth += 1
        self.count += 1

    def leave(self) -> None:
        """It is at its end."""
        self.depth -= 1


_DEEPEST = 8
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Link:
    """One setting that one option says alone.

    ``value`` makes the setting of what the option's text means, ``raw`` the reverse. Where it
    cannot, it gives the safest that the option can say.
    """

    path: Path
    value: Callable[[Any], Any]
    raw: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Option:
    """A row of a daemon's table.

    ``default`` is how the true default would be written, ``documented`` what the manual says
    where it says something else. ``paths`` are the settings that it has a say in; with none,
    ``harmless`` are the values that need not be obeyed (lower case; None: all of them).
    ``what`` says what it is about. ``build`` names whose builds alone have it.
    """

    name: str
    kind: str
    default: str
    paths: tuple[Path, ...] = ()
    link: Link | None = None
    what: str = ""
    harmless: tuple[str, ...] | None = None
    documented: str = ""
    build: str = ""

    def standing(self, text: str) -> Standing:
        """What becomes of it where it is set to ``text``."""
        if self.paths:
            return Standing.OBEYED
        if self.harmless is None or text.lower() in self.harmless:
            return Standing.IGNORED
        return Standing.REFUSED


@dataclass(frozen=True, slots=True)
class Given:
    """One option as the file has it."""

    option: Option
    text: str
    origin: Origin

    @property
    def standing(self) -> Standing:
        """What becomes of it."""
        return self.option.standing(self.text)


@dataclass(frozen=True, slots=True)
class Trap:
    """Something in a file that does not do what it seems to; ``id`` is the audit's."""

    id: str
    origin: Origin
    what: str
    mend: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a configuration says: the settings, every option that is given, and its traps.

    ``form`` is the syntax that it is written in.
    """

    daemon: Daemon
    form: Form
    file: str
    settings: Settings
    given: tuple[Given, ...]
    traps: tuple[Trap, ...] = ()

    def refused(self) -> tuple[Given, ...]:
        """Options that only their own daemon can be trusted with."""
        return tuple(one for one in self.given if one.standing is Standing.REFUSED)


@dataclass(frozen=True, slots=True)
class Unexpressed:
    """A setting that a daemon has no words for: what was wanted, what it does instead."""

    path: Path
    wanted: Any
    instead: Any


@dataclass(frozen=True, slots=True)
class Written:
    """A configuration's text, and the settings that are not in it."""

    text: str
    unexpressed: tuple[Unexpressed, ...]


def unexpressed(wanted: Settings, got: Settings) -> tuple[Unexpressed, ...]:
    """What was wanted and is not got, as far as either has an effect."""
    return tuple(
        Unexpressed(path, wanted.get(path), got.get(path))
        for path in differences(wanted, got)
        if (matters(wanted, path) or matters(got, path)) and not alike(wanted, got, path)
    )


def link(
    path: Path,
    value: Callable[[Any], Any] = lambda raw: raw,
    raw: Callable[[Any], Any] = lambda value: value,
) -> Link:
    """A link; as it stands, setting and option mean the same."""
    return Link(path, value, raw)


def inverse(path: Path) -> Link:
    """A setting that is true where the option is false."""
    return Link(path, lambda raw: not raw, lambda value: not value)


def none_is(nothing: Any, path: Path) -> Link:
    """A setting that is None where the option has this value."""
    return Link(
        path,
        lambda raw: None if raw == nothing else raw,
        lambda value: nothing if value is None else value,
    )


def unknown(name: str, known: Collection[str]) -> str:
    """The mend for a name that there is not."""
    near = get_close_matches(name.lower(), [one.lower() for one in known], n=1)
    if not near:
        return "leave it out"
    return f"did you mean {next(one for one in known if one.lower() == near[0])}?"


def origins_of(
    table: Mapping[str, Option], given: Mapping[str, Origin], nobody: Origin
) -> dict[Path, Origin]:
    """For each path the last line that has a say in it, else the first option that could have."""
    found: dict[Path, Origin] = {}
    for option in table.values():
        mine = given.get(option.name, Origin(nobody.file, None, option.name))
        for path in option.paths:
            other = found.get(path)
            if other is None or (mine.line or 0) > (other.line or 0):
                found[path] = mine
    return found
