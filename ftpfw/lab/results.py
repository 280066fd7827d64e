"""Expected and seen, cell by cell, and the one JSON shape of a lab's run.

A cell is a row (mode and client) in a column (which helper the gateway runs). A cell that
is not as expected makes the run fail, also when it passes where failure was expected:
then what the lab teaches is no longer true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """How a transfer went, or that there was none to try.

    BROKEN is never expected: the session ended before the client came to what the row is
    about, so that a server that is down does not count as the failure that was predicted.
    """

    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    BROKEN = "broken"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Cell:
    """One row in one column. ``reason`` is the client's last words, or why nothing was tried.

    ``drawings`` are ladders as SVG, where what crossed the gateway was listened to.
    """

    expected: Verdict
    seen: Verdict
    seconds: float = 0.0
    reason: str | None = None
    drawings: tuple[str, ...] = ()

    @property
    def as_expected(self) -> bool:
        """Whether the lab showed what it promised."""
        return self.seen is self.expected

    def as_json(self) -> dict[str, object]:
        """The cell as it stands in ``--json``."""
        return {
            "expected": self.expected.value,
            "seen": self.seen.value,
            "as_expected": self.as_expected,
            "seconds": round(self.seconds, 3),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class RowResult:
    """What a row showed, by column; a column that does not run the row is absent."""

    name: str
    mode: str
    client: str
    cells: Mapping[str, Cell]
    teaches: str = ""
    section: str = ""

    def as_json(self) -> dict[str, object]:
        """The row as it stands in ``--json``."""
        cells = {column: cell.as_json() for column, cell in self.cells.items()}
        return {
            "name": self.name,
            "mode": self.mode,
            "client": self.client,
            "teaches": self.teaches,
            "section": self.section,
            "cells": cells,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run. ``backend`` is what ``backend = "auto"`` took; ``started`` is ISO 8601.

    ``columns`` has the title of each, by its name.
    """

    scenario: str
    kernel: str
    backend: str
    started: str
    seconds: float
    rows: tuple[RowResult, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def tried(self) -> tuple[Cell, ...]:
        """Every cell in which something was to be tried."""
        cells = (cell for row in self.rows for cell in row.cells.values())
        return tuple(cell for cell in cells if cell.expected is not Verdict.NOT_APPLICABLE)

    @property
    def as_expected(self) -> bool:
        """Whether every cell was."""
        return not self.surprises()

    def surprises(self) -> tuple[tuple[RowResult, str, Cell], ...]:
        """Row, column and cell wherever something else was seen than expected."""
        return tuple(
            (row, column, cell)
            for row in self.rows
            for column, cell in row.cells.items()
            if not cell.as_expected
        )

    def summary(self) -> str:
        """``24 of 24 cells as expected``."""
        met = sum(cell.as_expected for cell in self.tried)
        return f"{met} of {len(self.tried)} cells as expected"

    def as_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "scenario": self.scenario,
            "kernel": self.kernel,
            "backend": self.backend,
            "started": self.started,
            "seconds": round(self.seconds, 2),
            "versions": dict(self.versions),
            "columns": dict(self.columns),
            "rows": [row.as_json() for row in self.rows],
            "as_expected": self.as_expected,
        }


def last_lines(text: str, count: int = 6) -> str:
    """The end of what a client printed, without empty lines and carriage returns."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-count:])
