"""The page of a run: self-contained, light or dark as the reader's system is.

Nothing is fetched. The one script, `SCRIPT`, filters the matrix; without it everything is there to
read. What clients and servers said is escaped, in HTML as in the script's data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from ftpfw.capture import ladder
from ftpfw.capture.page import STYLE as PLAIN
from ftpfw.lab.exercise import Exercise
from ftpfw.lab.matrix import KEYS, VALUES, MatrixReport
from ftpfw.lab.report import drawing
from ftpfw.lab.report.script import SCRIPT
from ftpfw.lab.results import Cell, Report, RowResult, Verdict

STYLE = """
body { max-width: 1180px; }
.summary { font-size: 1.1rem; font-weight: 600; }
.scroll { overflow-x: auto; }
.cells td, .cells th { padding: 4px 8px; }
.cells td { border: 1px solid var(--rule); }
.cell { white-space: nowrap; }
.pass { background: var(--good-paper); color: var(--good); }
.fail { background: var(--band); color: var(--ink); }
.odd { background: var(--bad-paper); color: var(--bad); font-weight: 700; }
.none { color: var(--faint); }
.section td { border: 0; font-style: italic; color: var(--faint); padding-top: 12px; }
.why { color: var(--faint); font-size: .9em; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; background: var(--band);
  padding: 8px; border-radius: 6px; }
.filters { display: flex; flex-wrap: wrap; gap: 10px; margin: 12px 0; }
fieldset { border: 1px solid var(--rule); border-radius: 8px; padding: 4px 10px 6px; margin: 0;
  min-width: 0; }
legend { color: var(--faint); font-size: .85rem; }
label { display: inline-block; margin-right: 10px; white-space: nowrap; }
button.cell { font: inherit; border: 0; width: 100%; padding: 4px 6px; cursor: pointer;
  border-radius: 4px; }
nav a { display: inline-block; margin: 0 12px 6px 0; }
a { color: var(--tell); }
@media (max-width: 640px) {
  .cells thead { display: table-header-group; }
  .cells { display: table; } .cells tbody { display: table-row-group; }
  .cells tr { display: table-row; } .cells td { display: table-cell; padding: 3px 5px;
    width: auto; position: static; font-size: 12px; }
  .cells th { font-size: 11px; padding: 3px 5px; } .cells td::before { content: none; }
}
"""

LEGEND = (
    "A gateway stands in the middle of each ladder. A line that it changes is written twice: as it "
    "came, and as it left. Blue lines say where a data connection is to go; below stands what the "
    "gateway's kernel expects, and in a box the data connection with its addresses on both sides."
)

Drawn = tuple[Exercise, Report]


def page(drawn: Sequence[Drawn], matrix: MatrixReport | None) -> Iterator[str]:
    """The page of exercises and, if it was run, the matrix."""
    reports: list[Report | MatrixReport] = [report for _, report in drawn]
    reports += [matrix] if matrix is not None else []
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield "<title>ftpfw lab</title>\n"
    yield f"<style>{ladder.STYLE}{PLAIN}{drawing.STYLE}{STYLE}</style>\n</head>\n<body>\n"
    yield "<h1>FTP across firewalls: a run of the lab</h1>\n"
    yield from _head(reports)
    if len(drawn) + (matrix is not None) > 1:
        yield from _contents(drawn, matrix)
    if matrix is not None:
        yield from _matrix(matrix)
    if drawn:
        yield f'<p class="note">{LEGEND}</p>\n'
    for exercise, report in drawn:
        yield from _exercise(exercise, report)
    yield "</body>\n</html>\n"


def _head(reports: Sequence[Report | MatrixReport]) -> Iterator[str]:
    first = reports[0]
    met = all(report.as_expected for report in reports)
    words = "everything as expected" if met else "not everything as expected"
    yield f'<p class="summary {"yes" if met else "no"}">{"✓" if met else "✗"} {words}</p>\n'
    versions = ", ".join(f"{name} {version}" for name, version in first.versions.items())
    about = f"{first.started} · Linux {first.kernel} · ftpfw on backend {first.backend}"
    yield f'<p class="note">{escape(about)}<br>{escape(versions)}</p>\n'


def _contents(drawn: Sequence[Drawn], matrix: MatrixReport | None) -> Iterator[str]:
    yield "<nav>"
    if matrix is not None:
        yield '<a href="#matrix">matrix</a>'
    for exercise, report in drawn:
        mark = "✓" if report.as_expected else "✗"
        yield f'<a href="#{escape(exercise.name)}">{mark} {escape(exercise.name)}</a>'
    yield "</nav>\n"


# exercises


def _exercise(exercise: Exercise, report: Report) -> Iterator[str]:
    yield f'<section id="{escape(exercise.name)}">\n'
    yield f"<h2>{escape(exercise.title)}</h2>\n<p>{escape(exercise.aim)}</p>\n"
    yield from drawing.draw(exercise.topology, _what(exercise))
    yield f"<p>{escape(report.summary())} ({report.seconds:.1f} s)</p>\n"
    yield '<div class="scroll"><table class="cells">\n<thead><tr><th></th>'
    yield "".join(f"<th>{escape(title)}</th>" for title in report.columns.values())
    yield "</tr></thead>\n<tbody>\n"
    for row in report.rows:
        yield from _row(row, list(report.columns))
    yield "</tbody></table></div>\n"
    for row in report.rows:
        yield from _details(row, report.columns)
    yield "</section>\n"


def _what(exercise: Exercise) -> dict[str, str]:
    """What stands on each host, in a few words."""
    daemons: dict[str, list[str]] = {}
    for service in exercise.services:
        daemons.setdefault(service.host, []).append(service.daemon)
    found = {host: ", ".join(dict.fromkeys(names)) for host, names in daemons.items()}
    for host, policy in exercise.policies.items():
        nat = "masquerade = true" in policy or "{masquerade}" in policy
        found[host] = "ftpfw, NAT" if nat else "ftpfw"
    return {host: text.replace("{daemon}", "the server") for host, text in found.items()}


def _row(row: RowResult, columns: Sequence[str]) -> Iterator[str]:
    if row.section:
        across = len(columns) + 1
        yield f'<tr class="section"><td colspan="{across}">{escape(row.section)}</td></tr>'
    yield f'<tr><td>{escape(row.name)}<div class="why">{escape(row.teaches)}</div></td>'
    for column in columns:
        kind, text = _shown(row.cells.get(column))
        yield f'<td class="cell {kind}">{text}</td>'
    yield "</tr>\n"


def _shown(cell: Cell | None) -> tuple[str, str]:
    """A cell's class and its text."""
    if cell is None:
        return "none", "·"
    if not cell.as_expected:
        return "odd", f"✗ {cell.seen.value}, not {cell.expected.value}"
    if cell.expected is Verdict.NOT_APPLICABLE:
        return "none", "n/a"
    return cell.seen.value, "✓ passes" if cell.seen is Verdict.PASS else "✓ fails"


def _details(row: RowResult, titles: Mapping[str, str]) -> Iterator[str]:
    """What is to be seen of a row: ladders side by side by their columns, and last words."""
    seen = [(name, cell) for name, cell in row.cells.items() if cell.drawings or cell.reason]
    if not seen:
        return
    odd = any(not cell.as_expected for _, cell in seen)
    yield f"<details{' open' if odd else ''}>\n<summary><b>{escape(row.name)}</b>"
    yield f'<span class="note">{escape(row.teaches)}</span></summary>\n'
    for name, cell in seen:
        kind, text = _shown(cell)
        yield f'<h3>{escape(titles[name])}: <span class="{kind}">{text}</span></h3>\n'
        yield "".join(cell.drawings)
        if cell.reason:
            yield f"<pre>{escape(cell.reason)}</pre>\n"
    yield "</details>\n"


# the matrix


def _matrix(report: MatrixReport) -> Iterator[str]:
    yield '<section id="matrix">\n<h2>The matrix</h2>\n'
    yield f"<p>{escape(report.summary())} ({report.seconds:.1f} s)</p>\n"
    yield '<form class="filters" id="filters">\n'
    for key in KEYS:
        yield f"<fieldset><legend>{key}</legend>"
        for value in VALUES[key]:
            name = f"{key}={value}"
            yield f'<label><input type="checkbox" name="{name}"> {escape(value)}</label>'
        yield "</fieldset>\n"
    yield '<fieldset><legend>only</legend><label><input type="checkbox" name="odd"> unexpected'
    yield "</label></fieldset>\n</form>\n"
    yield '<p id="count" role="status"></p>\n'
    yield '<div class="scroll"><table class="cells" id="grid"></table></div>\n'
    yield '<div id="chosen"></div>\n'
    yield "<noscript><p>The table of the matrix wants its script; these are the cells:</p><pre>"
    for one in report.outcomes:
        yield escape(f"{one.trial}: {one.cell.expected} → {one.cell.seen}\n")
    yield "</pre></noscript>\n"
    data = {"keys": KEYS, "values": VALUES, "cells": report.as_json()["cells"]}
    yield f'<script type="application/json" id="data">{_embedded(data)}</script>\n'
    yield f"<script>{SCRIPT}</script>\n</section>\n"


def _embedded(data: object) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(data).replace("<", "\\u003c").replace("\u2028", "").replace("\u2029", "")
