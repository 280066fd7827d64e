from __future__ import annotations

import json

import pytest

from ftpfw.lab.results import Cell, Report, RowResult, Verdict, last_lines, modes_sent

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
        "rows": [
            {
                "name": "PORT curl",
                "mode": "PORT",
                "client": "curl",
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


TRACES = [
    pytest.param("> USER anonymous\n> EPRT |1|10.0.0.1|5|\n", {"EPRT"}, id="curl"),
    pytest.param("---> PASV\n<--- 227 Entering\n", {"PASV"}, id="lftp"),
    pytest.param("> EPRT |1|\n< 500 no\n> PORT 1,2\n", {"EPRT", "PORT"}, id="changed its mind"),
    pytest.param("< 200 PORT command successful\n", set(), id="a reply is no command"),
    pytest.param("> PASVX\n", set(), id="another verb"),
]


@pytest.mark.parametrize(("trace", "modes"), TRACES)
def test_modes_sent(trace: str, modes: set[str]) -> None:
    assert modes_sent(trace) == modes


def test_last_lines_drops_blank_ones() -> None:
    assert last_lines("a\r\n\r\nb\r\n\nc\n", 2) == "b\nc"
