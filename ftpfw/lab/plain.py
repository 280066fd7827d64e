"""Reports of the virtual machines of labs/vagrant: put together, and as plain text.

    helper           no helper      kernel         ftpfw
    PORT curl        fail → fail ✓  pass → pass ✓  pass → pass ✓
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

from ftpfw.lab.results import Cell, Report, RowResult, Verdict

HEADINGS = {"none": "no helper", "kernel": "kernel", "ftpfw": "ftpfw"}


def table(report: Report) -> str:
    """Rows under the columns that any of them has; then what was not as expected, and the sum."""
    columns = [name for name in HEADINGS if any(name in row.cells for row in report.rows)]
    lines = [["", *(HEADINGS[name] for name in columns)]]
    lines += [[row.name, *(_cell(row.cells.get(name)) for name in columns)] for row in report.rows]
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    surprises = [_surprise(*surprise) for surprise in report.surprises()]
    return "\n".join([*text, *surprises, "", _ran_on(report), report.summary()])


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "·"
    if cell.expected is Verdict.NOT_APPLICABLE:
        return "n/a"
    return f"{cell.expected} → {cell.seen} {'✓' if cell.as_expected else '✗'}"


def _surprise(row: RowResult, column: str, cell: Cell) -> str:
    reason = (cell.reason or "no reason given").replace("\n", "\n    ")
    where = f"{row.name}, {HEADINGS[column]}"
    return f"\n✗ {where}: expected {cell.expected}, seen {cell.seen}\n    {reason}"


def _ran_on(report: Report) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return f"Linux {report.kernel}, ftpfw on backend {report.backend}; {versions}"


def merged(rows: Iterable[RowResult]) -> tuple[RowResult, ...]:
    """Rows of one name as one, with the cells of all of them, where the first one stood."""
    found: dict[str, RowResult] = {}
    for row in rows:
        cells = {**(found[row.name].cells if row.name in found else {}), **row.cells}
        found[row.name] = RowResult(row.name, row.mode, row.client, cells)
    return tuple(found.values())


def read_row(row: Mapping[str, Any]) -> RowResult:
    """A row from its JSON (`RowResult.as_json`)."""
    cells = {
        column: Cell(
            Verdict(cell["expected"]), Verdict(cell["seen"]), cell["seconds"], cell["reason"]
        )
        for column, cell in row["cells"].items()
    }
    return RowResult(row["name"], row["mode"], row["client"], cells)
