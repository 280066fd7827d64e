"""``ftpfw status``: what is loaded, and what it has done."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

import click

from ftpfw.cli.output import JSON_OPTION, echo_json, echo_table
from ftpfw.helper.backends import INSPECTED
from ftpfw.helper.control import ask
from ftpfw.helper.state import Loaded, State
from ftpfw.ruleset.apply import check
from ftpfw.ruleset.compile import compile_families
from ftpfw.ruleset.drift import Drift
from ftpfw.ruleset.policy_file import read_policy


@click.command()
@JSON_OPTION
def status(as_json: bool) -> None:
    """Show what is loaded here and what the inspector has done.

    Exit 1 if nothing runs, or if rules or helper are not as they were loaded.
    """
    state = State.here()
    loaded = state.loaded()
    pid = state.helper_pid()
    drift = _drift(loaded) if loaded else []
    report: dict[str, Any] = {"loaded": loaded is not None, "helper_running": pid is not None}
    report |= asdict(loaded) if loaded else {}
    report["drift"] = len(drift)
    report["helper"] = ask(state.control_socket) if pid else None
    if as_json:
        echo_json(report)
    else:
        _print(report, state)
    if drift or not _runs(loaded, pid):
        sys.exit(1)


def _drift(loaded: Loaded) -> list[Drift]:
    policy = read_policy(loaded.text, loaded.policy)
    return check(compile_families(policy, loaded.backend), loaded.firewall)


def _runs(loaded: Loaded | None, pid: int | None) -> bool:
    if loaded is None:
        return pid is not None
    return loaded.backend not in INSPECTED or pid is not None


def _print(report: dict[str, Any], state: State) -> None:
    helper = report["helper"]
    if not report["loaded"] and helper is None:
        click.echo(f"nothing is loaded here (no state in {state.directory})")
        return
    rows = []
    if report["loaded"]:
        rows += [
            ["policy", report["policy"]],
            ["backend", report["backend"]],
            ["rules", _rules_line(report)],
            ["loaded for", _span(report["since"])],
        ]
    rows.append(["helper", _helper_line(report, helper)])
    echo_table("gateway", ["", ""], rows)
    if helper:
        _print_workers(helper["workers"])


def _rules_line(report: dict[str, Any]) -> str:
    if not report["drift"]:
        return f"on {report['firewall']}, as loaded"
    return (
        f"on {report['firewall']}, [red]{report['drift']} differences[/red]: "
        "`ftpfw rules check` names them, `ftpfw load` mends them"
    )


COUNTS = {
    "queue": "queue",
    "pid": "pid",
    "flows": "flows",
    "packets": "packets",
    "rebuilt": "changed",
    "held": "held back",
    "overruns": "overruns",
    "errors": "faults",
}
"""Key in the report → heading."""


def _print_workers(workers: list[dict[str, Any]]) -> None:
    rows = [[str(worker[key]) for key in COUNTS] for worker in workers]
    echo_table("workers, and the packets each has seen", list(COUNTS.values()), rows)
    noted: Counter[tuple[str, str]] = Counter()
    for worker in workers:
        for kind, reasons in worker["notes"].items():
            noted.update({(kind, reason): count for reason, count in reasons.items()})
    if noted:
        rows = [
            [kind, reason or "–", str(count)] for (kind, reason), count in sorted(noted.items())
        ]
        echo_table("what was in them", ["what", "which or why", "count"], rows)


def _helper_line(report: dict[str, Any], helper: dict[str, Any] | None) -> str:
    if helper:
        return f"pid {helper['pid']}, up {_span(helper['since'])}"
    if report.get("backend") in INSPECTED:
        return "[red]not running[/red]: `ftpfw load` with the same policy starts it again"
    return "none needed"


def _span(since: float) -> str:
    seconds = int(max(0, time.time() - since))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
