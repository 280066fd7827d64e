"""A report as one HTML page: a ladder for each control connection, then all of it in tables.

Self-contained: no script, nothing fetched, light or dark as the reader's system is. Text from
the capture is escaped. Yielded in pieces, so that a large page need not be in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from ftpfw.capture import ladder
from ftpfw.capture.dialogue import printable
from ftpfw.capture.report import Control, Data, Negotiated, Report, count
from ftpfw.capture.rungs import carried, data_of, endpoint_pair, ladder_of

OPEN: Final = 5
"""Ladders that are unfolded from the beginning."""

STYLE: Final = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --faint: #63707c;
  --rule: #c9d0d6; --band: #f4f6f8; --tell: #0b57c2; --good: #126b34; --good-paper: #e3f4e8;
  --bad: #b3261e; --bad-paper: #fdeceb; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181c; --ink: #e4e8ec; --faint: #97a3ae; --rule: #3d4750; --band: #1d2328;
    --tell: #7db4ff; --good: #74d696; --good-paper: #16301f; --bad: #ff9d94;
    --bad-paper: #3a1b19; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 16px 12px 48px; max-width: 960px; background: var(--paper);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 8px 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 36px 0 8px; }
p { margin: 6px 0; } .note { color: var(--faint); }
details { border: 1px solid var(--rule); border-radius: 8px; margin: 16px 0; padding: 10px 12px; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { font-weight: 600; } summary .note { display: block; }
.mono { font: 13px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  overflow-wrap: break-word; }
.yes { color: var(--good); white-space: nowrap; } .no { color: var(--bad); font-weight: 600; }
.ladder { max-width: 760px; margin: 12px auto 0; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-size: .85rem; color: var(--faint); font-weight: 500; }
th, td { padding: 5px 10px 5px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
@media (max-width: 640px) {
  thead { display: none; }
  table, tbody, tr, td { display: block; width: 100%; }
  tr { border-bottom: 1px solid var(--rule); padding: 6px 0; }
  td { border: 0; padding: 1px 0 1px 6.5em; position: relative; }
  td::before { content: attr(data-is); position: absolute; left: 0; color: var(--faint);
    font: 13px/1.45 system-ui, sans-serif; } }
"""


def page(report: Report, name: str, zero: str, remarks: Sequence[str] = ()) -> Iterator[str]:
    """The page for the capture ``name``; ``zero`` says when the report's time 0 was.

    ``remarks`` are what the reader should know of the capture itself.
    """
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>ftpfw inspect: {escape(name)}</title>\n"
    yield f"<style>{ladder.STYLE}{STYLE}</style>\n</head>\n<body>\n"
    yield f"<h1>FTP in {escape(printable(name))}</h1>\n"
    yield f"<p>{escape(report.summary)}</p>\n"
    yield f'<p class="note">Times are seconds since {escape(zero)}. Blue lines announce a data '
    yield "connection; below each stands what a firewall with ftpfw makes of it. Green data "
    yield "connections were expected when they came, red ones were not.</p>\n"
    for remark in remarks:
        yield f'<p class="no">{escape(remark)}</p>\n'
    yield from _ladders(report)
    yield from _negotiations(report)
    yield from _data(report)
    yield "</body>\n</html>\n"


def _ladders(report: Report) -> Iterator[str]:
    data = data_of(report)
    drawn = [control for control in report.controls if control.dialogue is not None]
    for index, control in enumerate(drawn):
        yield f"<details{' open' if index < OPEN else ''}>\n"
        yield f"<summary>{_heading(control)}</summary>\n"
        yield from _drawing(control, data.get(control.number, []), report.began)
        yield "</details>\n"
    if len(drawn) < len(report.controls):
        rest = len(report.controls) - len(drawn)
        yield f'<p class="note">{rest} more control connections are only in the tables.</p>\n'


def _heading(control: Control) -> str:
    heading = f"<b>{_mono(f'{control.client} → {control.server}')}</b>"
    refused = sum(not one.accepted for one in control.negotiations)
    told = [count(len(control.negotiations), "negotiation")]
    told += [f"{refused} refused"] if refused else []
    told += ["turns to TLS"] if control.tls_since is not None else []
    return f'{heading}<span class="note">{", ".join(told)}</span>'


def _drawing(control: Control, data: Sequence[Data], zero: float) -> Iterator[str]:
    if control.dialogue is None or not control.dialogue.entries:
        yield '<p class="note">Nothing was said.</p>\n'
    else:
        yield ladder.draw(ladder_of(control, control.dialogue, data, zero)) + "\n"


def _negotiations(report: Report) -> Iterator[str]:
    yield "<h2>Negotiations</h2>\n"
    rows = [(control, one) for control in report.controls for one in control.negotiations]
    if not rows:
        yield '<p class="note">None was seen.</p>\n'
        return
    yield from _table(
        ("time", "client", "line", "opens", "verdict"),
        (_negotiation(control, one, report.began) for control, one in rows),
    )


def _negotiation(control: Control, one: Negotiated, zero: float) -> list[str]:
    verdict = '<span class="yes">✓ accepted</span>'
    if one.reason is not None:
        verdict = f'<span class="no">✗ {escape(one.reason)}</span>'
    return [
        f"{one.time - zero:.3f}",
        _mono(control.client),
        _mono(printable(one.line)),
        _mono(endpoint_pair(one)),
        verdict,
    ]


def _data(report: Report) -> Iterator[str]:
    yield "<h2>Data connections</h2>\n"
    if not report.data:
        yield '<p class="note">None was seen.</p>\n'
        return
    yield from _table(
        ("time", "from", "to", "carried", "expected", "line"),
        (_connection(one, report.began) for one in report.data),
    )


def _connection(one: Data, zero: float) -> list[str]:
    expected = '<span class="yes">✓ yes</span>' if one.expected else '<span class="no">✗ no</span>'
    return [
        f"{one.began - zero:.3f}",
        _mono(one.source),
        _mono(one.destination),
        carried(one, "source", "destination"),
        expected,
        _mono(printable(one.line)) if one.line is not None else "–",
    ]


def _table(columns: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    """A table; on a narrow screen each cell stands under the name of its column."""
    yield "<table>\n<thead><tr>"
    yield "".join(f"<th>{column}</th>" for column in columns)
    yield "</tr></thead>\n<tbody>\n"
    for row in rows:
        cells = zip(columns, row, strict=True)
        yield "<tr>" + "".join(f'<td data-is="{name}">{cell}</td>' for name, cell in cells)
        yield "</tr>\n"
    yield "</tbody>\n</table>\n"


def _mono(text: str) -> str:
    """Text of the wire, which may be folded behind what divides addresses and numbers."""
    folded = escape(text)
    for divider in ":|,":
        folded = folded.replace(divider, f"{divider}<wbr>")
    return f'<span class="mono">{folded}</span>'
