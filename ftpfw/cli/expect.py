"""``ftpfw expect``: the data connections that the kernel expects, and what becomes of them."""

from __future__ import annotations

import json
import select
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table

from ftpfw.cli.host import require_root
from ftpfw.cli.output import JSON_OPTION, console, echo_json, table, titled, watch
from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.events import ConntrackEvents
from ftpfw.conntrack.model import format_endpoint
from ftpfw.conntrack.wire_event import Group, Lost
from ftpfw.helper.report import Report, describe_expectation
from ftpfw.helper.watching import ExpectationWatch, Fate, Happening


@click.group()
def expect() -> None:
    """Show the data connections that the kernel expects."""


@expect.command("list")
@JSON_OPTION
def list_(as_json: bool) -> None:
    """List every TCP expectation of this network namespace."""
    require_root("list expectations")
    with Ctnetlink() as kernel:
        found = [describe_expectation(expectation) for expectation in kernel.list_expectations()]
    if as_json:
        echo_json({"expectations": found})
    elif not found:
        click.echo("no connection is expected")
    else:
        console().print(open_table(found, len(found)))


@expect.command("watch")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for each event.")
def watch_(as_json: bool) -> None:
    """Follow every TCP expectation of this network namespace until Ctrl-C.

    On a terminal a table of those that are open and of those that have ended. Else, and with
    --json, a line for each event: open (it was there at the start), expected, used (the
    connection has come), timed-out, or gone (withdrawn, replaced by a newer one, or used
    by a packet that was dropped).
    """
    require_root("watch expectations")
    with _following() as follower:
        if as_json or not console().is_terminal:
            _print_lines(follower, as_json)
        else:
            _show(follower)


GROUPS = (Group.NEW, Group.EXP_NEW, Group.EXP_DESTROY)

PAUSE = 1.0
"""Seconds until time left is shown anew, and until what is undecided is looked at again."""


class Follower:
    """Feeds the watch from the kernel."""

    def __init__(self, events: ConntrackEvents, kernel: Ctnetlink) -> None:
        self.watch = ExpectationWatch()
        self._events = events
        self._kernel = kernel

    def begin(self) -> list[Happening]:
        """Read what is open; what changed since the events began is told by them once more."""
        return self.watch.begin(self._kernel.list_expectations(), time.monotonic())

    def wait(self) -> list[Happening]:
        """What has happened once something comes, or after a pause."""
        select.select([self._events], [], [], PAUSE)
        happened = []
        for event in self._events.read():
            if isinstance(event, Lost):
                happened += self.begin()
            else:
                happened += self.watch.feed(event, time.monotonic())
        return happened + self.watch.decide(time.monotonic())


@contextmanager
def _following() -> Iterator[Follower]:
    with ConntrackEvents(GROUPS) as events, Ctnetlink() as kernel:
        yield Follower(events, kernel)


def _print_lines(follower: Follower, as_json: bool) -> None:
    with suppress(KeyboardInterrupt):
        happened = follower.begin()
        while True:
            for one in happened:
                click.echo(json.dumps(_describe(one)) if as_json else _sentence(one))
            happened = follower.wait()


def _describe(one: Happening) -> dict[str, Any]:
    return {
        "time": round(time.time(), 3),
        "event": one.fate.value,
        **describe_expectation(one.expectation),
        "connection": str(one.connection) if one.connection else None,
    }


def _sentence(one: Happening) -> str:
    told = _describe(one)
    what = told["connection"] or f"{told['source']} -> {told['destination']}"
    left = f", {told['seconds_left']} s" if one.fate in {Fate.OPEN, Fate.EXPECTED} else ""
    return f"{time.strftime('%X')} {told['event']:<9} {what} for {told['master']}{left}"


def _show(follower: Follower) -> None:
    height = console().height
    ended: deque[list[str]] = deque(maxlen=max(3, height // 3))

    def take(happened: list[Happening]) -> None:
        for one in happened:
            if one.fate not in {Fate.OPEN, Fate.EXPECTED}:
                ended.appendleft(_ended_row(one))

    def draw() -> RenderableType:
        return Stack(
            open_table(_left(follower.watch, time.monotonic()), height // 2),
            "",
            table("ended", ["at", "how", "from", "to", "client"], list(ended)),
        )

    take(follower.begin())
    watch(draw, lambda: take(follower.wait()))


def _left(watched: ExpectationWatch, now: float) -> list[Report]:
    return [
        {**describe_expectation(one.expectation), "seconds_left": round(max(0, one.until - now))}
        for one in watched.opened()
    ]


def _ended_row(one: Happening) -> list[str]:
    told = describe_expectation(one.expectation)
    came_from = format_endpoint(one.connection.src, one.connection.sport) if one.connection else ""
    at = time.strftime("%X")
    return [at, one.fate.value, came_from or told["source"], told["destination"], told["client"]]


def open_table(expectations: list[Report], limit: int) -> Table:
    """Open expectations and the time that each has left, no more than ``limit`` rows."""
    rows = [
        [
            entry["source"],
            entry["destination"],
            entry["translated_to"] or "–",
            entry["client"],
            f"{entry['seconds_left']} s",
        ]
        for entry in expectations
    ]
    title = titled("expected data connections", rows, limit)
    return table(title, ["from", "to", "translated to", "client", "left"], rows[:limit])
