"""``ftpfw lab`` on the command line, with runs that are made up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from ftpfw.cli import main
from ftpfw.cli.output import WIDE
from ftpfw.lab.exercise import Column, Exercise, Step
from ftpfw.lab.results import Cell, Report, RowResult, Verdict


def run(*arguments: str) -> int:
    """The exit code of ``ftpfw lab``."""
    with pytest.raises(SystemExit) as end:
        main(["lab", *arguments])
    return int(end.value.code or 0)


def report(exercise: Exercise, seen: Verdict) -> Report:
    """Every cell seen the same."""
    rows = tuple(
        RowResult(step.title, step.mode, step.client, {c: Cell(seen, seen) for c in step.expected})
        for step in exercise.steps
    )
    return Report(exercise.name, "6.18", "borrowed", "2026-01-01T00:00:00+00:00", 1.0, rows)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The exercises that were run, for anybody and without programs."""
    made: list[str] = []

    def made_up(
        exercise: Exercise, observe: Callable[[Step, Column, Cell], None], *, drawn: bool
    ) -> Report:
        del observe, drawn
        made.append(exercise.name)
        return report(exercise, Verdict.PASS)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("ftpfw.cli.lab.require_programs", lambda: None)
    monkeypatch.setattr("ftpfw.lab.running.run", made_up)
    return made


def test_an_unknown_scenario_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "nat-gateway", "dmz") == 1
    said = capsys.readouterr().err
    assert "no exercise dmz" in said
    assert "nat-gateway" in said


@pytest.mark.parametrize("command", ["run", "bench"])
def test_only_root(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run(command) == 1
    assert "only root may make the lab's network namespaces" in capsys.readouterr().err


def test_no_scenario_is_all(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "--json") == 0
    assert len(runs) > 10
    reports = json.loads(capsys.readouterr().out)["reports"]
    assert [report["scenario"] for report in reports] == runs


def test_a_filter_without_the_matrix_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "nat-gateway", "--only", "helper=none") == 2
    assert "about the matrix" in capsys.readouterr().err


def test_several_scenarios_are_several_reports(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "nat-gateway", "nat-gateway", "--json") == 0
    assert runs == ["nat-gateway", "nat-gateway"]
    reports = json.loads(capsys.readouterr().out)["reports"]
    assert [report["scenario"] for report in reports] == runs


def test_what_is_piped_is_not_folded(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert runs == []
    assert 80 < max(map(len, lines)) <= WIDE
    assert [line.split()[0] for line in lines][:3] == ["exercises", "exercise", "two-modes"]
