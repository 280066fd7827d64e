from __future__ import annotations

import json

import pytest

from ftpfw.lab.results import Cell, Report, RowResult, Verdict, last_lines

PASS, FAIL, BROKEN, NA = Verdict.PASS, Verdict.FAIL, Verdict.BROKEN, Verdict.NOT_APPLICABLE


def report(**cells: Cell) -> Report:
    row = RowResult("PORT curl", "PORT", "curl", cells)
    return Report("nat-gateway", "6.18", "borrowed", "2026-01-01T00:00:00+00:00", 1.0, (row,))


COMPARED = [
    pytest.param(PASS, PASS, True, id="passes as expected"),
    pytest.param(FAIL, FAIL, True, id="fails as expected"),
    pytest.param(NA, NA, True, id="not there, as expected"),
    pytest.param(PASS, FAIL, False, id="fails"),
    pytest.param(FAIL, PASS, False, id="passes what should fail"),
    pytest.param(FAIL, BROKEN, False, id="breaks before it could fail"),
]


@pytest.mark.parametrize(("expected", "seen", "met"), COMPARED)
def test_one_cell_decides_the_run(expected: Verdict, seen: Verdict, met: bool) -> None:
    run = report(none=Cell(expected, seen), ftpfw=Cell(PASS, PASS))
    assert run.as_expected is met
    assert [column for _, column, _ in run.surprises()] == ([] if met else ["none"])


def test_summary_counts_what_was_tried() -> None:
    run = report(none=Cell(FAIL, PASS), kernel=Cell(NA, NA), ftpfw=Cell(PASS, PASS))
    assert run.summary() == "1 of 2 cells as expected"


def test_json_shape() -> None:
    run = report(none=Cell(FAIL, FAIL, 0.0214, "500 Illegal PORT command."))
    assert json.loads(json.dumps(run.as_json())) == {
        "scenario": "nat-gateway",
        "kernel": "6.18",
        "backend": "borrowed",
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 1.0,
        "versions": {},
        "columns": {},
        "rows": [
            {
                "name": "PORT curl",
                "mode": "PORT",
                "client": "curl",
                "teaches": "",
                "section": "",
                "cells": {
                    "none": {
                        "expected": "fail",
                        "seen": "fail",
                        "as_expected": True,
                        "seconds": 0.021,
                        "reason": "500 Illegal PORT command.",
                    }
                },
            }
        ],
        "as_expected": True,
    }


def test_last_lines_drops_blank_ones() -> None:
    assert last_lines("a\r\n\r\nb\r\n\nc\n", 2) == "b\nc"
