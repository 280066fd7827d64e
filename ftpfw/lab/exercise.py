"""An exercise: hosts, servers, gateway policies, columns and steps, as ``exercise.toml`` has them.

    order, title, aim, seconds      where it stands in the course, and how long it takes
    [columns.NAME]                  title, and the values that ``{value}`` in texts stands for
    [hosts.NAME]                    interfaces, route, forwards, policy, setup
    links                           pairs of "host:interface"
    [[services]]                    host, daemon, address, options, answers
    [[steps]]                       title, section, teaches, expected, and one of transfer,
                                    talk, command

Every column is a copy of the whole, with its own values: which backend the gateway loads, or
which daemon serves. A step that a column's ``expected`` does not name is not run in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

import msgspec

from ftpfw.lab.results import Verdict
from ftpfw.lab.talk import Line, parse_line
from ftpfw.lab.topology import Topology, read_topology
from ftpfw.ruleset.toml_document import parse_place, plain_words, read_toml
from ftpfw.ruleset.toml_lines import KeyPath, Source

FILE = "exercise.toml"
ONLY = "result"
"""The name of the one column of an exercise that compares nothing."""


class Transfer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file fetched and one brought by a real client, compared byte for byte."""

    server: str
    client: Literal["curl", "lftp", "ftplib", "ncftp", "tnftp", "wget"] = "curl"
    mode: Literal["PORT", "PASV", "EPRT", "EPSV"] = "PASV"
    host: str = "client"
    what: tuple[Literal["down", "up"], ...] = ("down", "up")
    tls: bool = False


class Talk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A control connection, line by line (`ftpfw.lab.talk`).

    ``session`` names a connection that stays for the steps after it.
    """

    lines: tuple[str, ...]
    server: str
    host: str = "client"
    mode: str = ""
    session: str = ""


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shell command on a host: its exit code, and what its output must match and must not."""

    run: str
    host: str
    exit: int = 0
    shows: str = ""
    hides: str = ""


Action = Transfer | Talk | Command


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server on a host. ``answers`` are the scripted server's, by verb.

    ``reached`` is the address by which clients reach it, where that is another.
    """

    host: str
    daemon: str
    address: str
    reached: str = ""
    options: dict[str, str] = {}
    answers: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Column:
    """A copy of the whole. ``values`` are what ``{name}`` stands for in texts of the exercise."""

    name: str
    title: str
    values: Mapping[str, str]

    def fill(self, text: str) -> str:
        """A text with the values for their names; other braces stay as they are."""
        return re.sub(r"\{(\w+)\}", lambda found: self.values.get(found[1], found[0]), text)


@dataclass(frozen=True, slots=True)
class Step:
    """One row. ``lines`` are a talk's, read; ``section`` is what begins with it, if anything."""

    title: str
    teaches: str
    action: Action
    expected: Mapping[str, Verdict]
    section: str = ""
    lines: tuple[Line, ...] = ()

    @property
    def mode(self) -> str:
        """The command that opens the way for data; empty where that is not the point."""
        return "" if isinstance(self.action, Command) else self.action.mode

    @property
    def client(self) -> str:
        """Who speaks."""
        match self.action:
            case Transfer(client=client):
                return client
            case Talk():
                return "raw"
            case Command(host=host):
                return host


@dataclass(frozen=True, slots=True)
class Exercise:
    """A whole exercise; ``policies`` and ``setups`` are by host, ``folder`` is where it lies."""

    name: str
    folder: str
    order: int
    title: str
    aim: str
    seconds: int
    topology: Topology
    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    services: tuple[Service, ...] = ()
    policies: Mapping[str, str] = field(default_factory=dict)
    setups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def column(self, name: str) -> Column:
        """The column of that name; ValueError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(column.name for column in self.columns)
        raise ValueError(f"{self.name} has no column {name}: it has {known}")


class _RawHost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    interfaces: dict[str, tuple[str, ...]]
    route: tuple[str, ...] = ()
    forwards: bool = False
    policy: str = ""
    setup: tuple[str, ...] = ()


class _RawStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    expected: Verdict | dict[str, Verdict] = Verdict.PASS
    teaches: str = ""
    section: str = ""
    transfer: Transfer | None = None
    talk: Talk | None = None
    command: Command | None = None


class _RawExercise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    order: int
    title: str
    aim: str
    hosts: dict[str, _RawHost]
    links: tuple[tuple[str, str], ...]
    steps: tuple[_RawStep, ...]
    seconds: int = 5
    columns: dict[str, dict[str, str]] = {}
    services: tuple[Service, ...] = ()


def read_exercise(text: str, file: str) -> Exercise:
    """The exercise in ``text``; its name is that of the folder in the path ``file``.

    Raises PolicyError with the line of the first thing that is wrong.
    """
    document, source = read_toml(text, file)
    raw = _convert(document, source)
    topology = read_topology(
        {host: (one.interfaces, one.route, one.forwards) for host, one in raw.hosts.items()},
        raw.links,
        source,
    )
    columns = tuple(
        Column(key, values.get("title", key), values) for key, values in raw.columns.items()
    ) or (Column(ONLY, ONLY, {}),)
    for index, service in enumerate(raw.services):
        _require_host(service.host, topology, source, ("services", index, "host"))
    steps = tuple(
        _step(step, ("steps", index), columns, topology, source)
        for index, step in enumerate(raw.steps)
    )
    policies = {host: one.policy for host, one in raw.hosts.items() if one.policy}
    setups = {host: one.setup for host, one in raw.hosts.items() if one.setup}
    folder = PurePath(file).parent
    return Exercise(
        folder.name,
        str(folder),
        raw.order,
        raw.title,
        raw.aim,
        raw.seconds,
        topology,
        columns,
        steps,
        raw.services,
        policies,
        setups,
    )


def _convert(document: dict[str, Any], source: Source) -> _RawExercise:
    try:
        return msgspec.convert(document, _RawExercise)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        mend = "labs/nat-gateway/exercise.toml has one of each"
        path = _known_path(parse_place(place.removesuffix("`")), source)
        raise source.error(path, plain_words(what), mend=mend) from None


def _known_path(path: KeyPath, source: Source) -> KeyPath:
    """As much of a path as the file has: msgspec leaves out the keys of tables."""
    while path and path not in source.lines:
        path = path[:-1]
    return path


def _step(
    raw: _RawStep, path: KeyPath, columns: tuple[Column, ...], topology: Topology, source: Source
) -> Step:
    actions = [one for one in (raw.transfer, raw.talk, raw.command) if one is not None]
    if len(actions) != 1:
        what = f"has {len(actions)} actions"
        raise source.error(path, what, mend="one of transfer, talk, command")
    (action,) = actions
    _require_host(action.host, topology, source, path)
    expected = raw.expected
    if isinstance(expected, Verdict):
        expected = {column.name: expected for column in columns}
    for name in expected:
        if name not in {column.name for column in columns}:
            known = ", ".join(column.name for column in columns)
            raise source.error((*path, "expected"), f"no column {name}", mend=f"one of {known}")
    lines = tuple(_lines(action, path, source)) if isinstance(action, Talk) else ()
    if isinstance(action, Command):
        _require_patterns(action, path, source)
    return Step(raw.title, raw.teaches, action, expected, raw.section, lines)


def _lines(talk: Talk, path: KeyPath, source: Source) -> list[Line]:
    lines = []
    for index, text in enumerate(talk.lines):
        try:
            lines.append(parse_line(text))
        except ValueError as error:
            where = (*path, "talk", "lines", index)
            mend = "ftpfw/lab/talk.py has the words that begin a line"
            raise source.error(where, str(error), mend=mend) from None
    return lines


def _require_host(host: str, topology: Topology, source: Source, path: KeyPath) -> None:
    try:
        topology.host(host)
    except ValueError as error:
        known = ", ".join(one.name for one in topology.hosts)
        raise source.error(path, str(error), mend=f"one of {known}") from None


def _require_patterns(command: Command, path: KeyPath, source: Source) -> None:
    for key in ("shows", "hides"):
        try:
            re.compile(getattr(command, key))
        except re.error as error:
            mend = "a regular expression of Python's re"
            raise source.error((*path, "command", key), str(error), mend=mend) from None
