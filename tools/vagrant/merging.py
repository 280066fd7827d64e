"""What the machines report, line by line and one column at a time, put together: pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ftpfw.lab.results import Cell, RowResult, Verdict


@dataclass(slots=True)
class Seen:
    """Rows by the number of their step, and what ran them."""

    rows: dict[int, RowResult] = field(default_factory=dict)
    kernel: str = "n/a"
    backend: str = "n/a"
    versions: dict[str, str] = field(default_factory=dict)

    def hear(self, line: str) -> RowResult | None:
        """Take a line of `check.py --json`: the row that it is, or None for the report at the end.

        Raises ValueError, KeyError or TypeError where it is neither.
        """
        said = json.loads(line)
        if "versions" in said:
            self.kernel, self.backend = said["kernel"], said["backend"]
            self.versions |= said["versions"]
            return None
        row = read_row(said)
        number = said["step"]
        before = self.rows[number].cells if number in self.rows else {}
        self.rows[number] = replace(row, cells={**before, **row.cells})
        return row

    def table(self) -> tuple[RowResult, ...]:
        """The rows in the order of their steps."""
        return tuple(self.rows[number] for number in sorted(self.rows))


def read_row(row: Mapping[str, Any]) -> RowResult:
    """A row from what `RowResult.as_json` made of it."""
    cells = {
        column: Cell(
            Verdict(cell["expected"]), Verdict(cell["seen"]), cell["seconds"], cell["reason"]
        )
        for column, cell in row["cells"].items()
    }
    return RowResult(row["name"], row["mode"], row["client"], cells, row["teaches"], row["section"])
