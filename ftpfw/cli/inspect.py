"""``ftpfw inspect``: what the FTP sessions of a capture negotiated, and what a firewall does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ftpfw.capture.dialogue import printable
from ftpfw.capture.page import page
from ftpfw.capture.reader import CaptureReader
from ftpfw.capture.report import Control, Counts, Data, Negotiated, Report, count
from ftpfw.capture.rungs import endpoint_pair, size, span
from ftpfw.capture.story import Story
from ftpfw.cli.output import JSON_OPTION, console, echo_json
from ftpfw.errors import HostError

LINES = 2000
"""Lines of a control connection that a page shows."""

PATIENCE = 1.5
"""Seconds before a bar shows how far it is."""

STEP = 4096
"""Frames from one look at the clock to the next."""


@click.command()
@click.argument("capture", type=click.Path(path_type=Path))
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    default=(21,),
    show_default=True,
    help="Control port, as often as there are; FTP on others is found by its greeting.",
)
@JSON_OPTION
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Also draw it, as one page."
)
def inspect(capture: Path, ports: tuple[int, ...], as_json: bool, html: Path | None) -> None:
    """Tell what the FTP sessions in CAPTURE negotiated.

    The engine of the gateway reads the capture (pcap or pcapng, also in gzip), and tells for
    each announced data connection whether it would have been let in, and for each that came
    whether it was expected. A session that begins before the capture is found on --port only.
    """
    with CaptureReader(capture) as reader:
        story = Story(frozenset(ports), LINES if html else 0)
        for frame in _watched(reader):
            story.feed(*frame)
    report = story.report()
    remarks = list(_remarks(report.counts, reader.damage))
    if html is not None:
        _write(html, page(report, capture.name, _date(report.began), remarks))
    if as_json:
        echo_json(report.as_json() | {"damage": reader.damage})
    else:
        _print(report, remarks)


def _watched(reader: CaptureReader) -> Iterator[tuple[float, int, bytes]]:
    """The frames; on a terminal, a bar shows how far a long capture has been read."""
    out = console(stderr=True)
    if not out.is_terminal:
        yield from reader
        return
    begun = time.monotonic()
    with _bar(out) as progress:
        task = None
        for number, frame in enumerate(reader):
            yield frame
            if number % STEP == 0 and time.monotonic() - begun > PATIENCE:
                if task is None:
                    task = progress.add_task("reading", total=reader.size)
                progress.update(task, completed=reader.position)


@contextmanager
def _bar(out: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn(), console=out, transient=True) as progress:
        yield progress


def _write(path: Path, pieces: Iterator[str]) -> None:
    try:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
    except OSError as error:
        raise HostError(
            f"{path}: {error.strerror}", mend="give --html a file that can be written"
        ) from error


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC")


def _print(report: Report, remarks: list[str]) -> None:
    out = console()
    if report.controls:
        out.print(_negotiations(report))
    if report.data:
        out.print(_data(report))
    out.print(report.summary, style="bold", highlight=False)
    for remark in remarks:
        out.print(Text(remark), style="yellow")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _negotiations(report: Report) -> Table:
    since = f"control connections (seconds since {_date(report.began)})"
    table = _table(since, "client", "server", "time", "line", "opens", "verdict")
    for control in report.controls:
        ends = (control.client, control.server)
        for time_, line, opens, verdict in _rows(control, report.began):
            table.add_row(*ends, time_, Text(line), opens, verdict)
            ends = ("", "")
    return table


def _rows(control: Control, zero: float) -> Iterator[tuple[str, str, str, Text]]:
    for one in control.negotiations:
        yield f"{one.time - zero:.3f}", printable(one.line), endpoint_pair(one), _verdict(one)
    if control.tls_since is not None:
        said = Text("TLS: nobody can read on", style="yellow")
        yield f"{control.tls_since - zero:.3f}", "AUTH", "–", said
    elif not control.negotiations:
        yield f"{control.began - zero:.3f}", "–", "–", Text("nothing was negotiated", style="dim")


def _verdict(one: Negotiated) -> Text:
    if one.reason is None:
        return Text("✓ accepted", style="green")
    return Text(f"✗ {one.reason}", style="red")


def _data(report: Report) -> Table:
    table = _table(
        "data connections",
        "source",
        "destination",
        "time",
        "sent",
        "received",
        "lasted",
        "expected",
        "line",
    )
    for one in report.data:
        table.add_row(*_connection(one, report.began))
    return table


def _connection(one: Data, zero: float) -> list[str | Text]:
    expected = Text("✓", style="green") if one.expected else Text("✗ no", style="red")
    line = Text(printable(one.line)) if one.line is not None else Text("–", style="dim")
    return [
        one.source,
        one.destination,
        f"{one.began - zero:.3f}",
        *(size(amount) for amount in one.carried),
        span(one.ended - one.began),
        expected,
        line,
    ]


def _remarks(counts: Counts, damage: str | None) -> Iterator[str]:
    """What the capture does not show."""
    if damage:
        yield f"the capture is damaged and was read up to there: {damage}"
    if counts.lost:
        yield f"{count(counts.lost, 'byte')} of control connections are not in the capture"
    if counts.cut_short:
        yield (
            f"{count(counts.cut_short, 'segment')} cut short by the snap length: "
            "capture whole packets (tcpdump -s 0)"
        )
    if counts.skipped:
        reasons = (f"{number} {reason}" for reason, number in sorted(counts.skipped.items()))
        yield f"not TCP segments that can be read: {', '.join(reasons)}"
