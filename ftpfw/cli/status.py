"""``ftpfw status``: what is loaded, who uses it now, and what it has done."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from typing import Any

import click
from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ftpfw.cli.expect import open_table
from ftpfw.cli.output import (
    JSON_OPTION,
    Row,
    console,
    echo_json,
    shown,
    span,
    table,
    titled,
    watch,
)
from ftpfw.conntrack.client import Ctnetlink
from ftpfw.conntrack.model import TcpState, Tuple, parse_endpoint
from ftpfw.errors import FtpfwError
from ftpfw.helper.backends import INSPECTED
from ftpfw.helper.control import ask
from ftpfw.helper.privileges import CAP_NET_ADMIN, has_capability
from ftpfw.helper.report import Report, combine, describe_expectation, verdict_within
from ftpfw.helper.state import Loaded, State
from ftpfw.ruleset.apply import check, firewalls_with_ours
from ftpfw.ruleset.compile import HELPER_NAME, compile_families
from ftpfw.ruleset.drift import Drift
from ftpfw.ruleset.policy import Backend
from ftpfw.ruleset.policy_file import read_policy

ROWS = 20
"""Rows of a table that can be long; machines get all."""

PAUSE = 1.0
RULES_EVERY = 10
"""Seconds between two looks with --watch; it compares the rules at every tenth only."""


@click.command()
@JSON_OPTION
@click.option("--watch", "live", is_flag=True, help="Show it anew each second, until Ctrl-C.")
def status(as_json: bool, live: bool) -> None:
    """Show what is loaded here, who uses it now, and what the inspector has done.

    Exit 1 if nothing runs, if rules or helper are not as they were loaded, or if the
    helper has refused the policy's present text.
    """
    state = State.here()
    if live:
        if as_json:
            raise click.UsageError("--watch is for people; ask --json as often as you like")
        watch(_views(state).__next__, lambda: time.sleep(PAUSE))
        return
    report = _report(state, _drift(state))
    if as_json:
        echo_json(report)
    else:
        console().print(_view(report, state, ROWS))
    if report["drift"] or not _runs(report) or not _goes_by_it(report):
        sys.exit(1)


def _views(state: State) -> Iterator[RenderableType]:
    """What there is to see, time after time; a helper that goes away meanwhile is shown too."""
    drift: list[Drift] = []
    for number in count():
        try:
            if number % RULES_EVERY == 0:
                drift = _drift(state)
            yield _view(_report(state, drift), state, max(3, console().height // 6))
        except FtpfwError as error:
            yield Text(shown(str(error)))


def _drift(state: State) -> list[Drift]:
    loaded = state.loaded()
    if loaded is None:
        return []
    policy = read_policy(loaded.text, loaded.policy)
    return check(compile_families(policy, loaded.backend), loaded.firewall)


def _report(state: State, drift: list[Drift]) -> Report:
    """All of it, as --json prints it; ``total`` sums the workers up."""
    loaded = state.loaded()
    pid = state.helper_pid()
    helper = ask(state.control_socket) if pid else None
    expectations = _expectations(loaded, helper)
    return {
        "loaded": loaded is not None,
        "helper_running": pid is not None,
        **(asdict(loaded) if loaded else {}),
        "drift": len(drift),
        "helper": helper,
        "total": _living(_total(helper, expectations), helper) if helper else None,
        "expectations": expectations,
    }


def _expectations(loaded: Loaded | None, helper: Report | None) -> list[Report]:
    """What the kernel expects now because of the helper that rules attach."""
    backend = loaded.backend if loaded else helper and helper["backend"]
    if backend is None or backend not in HELPER_NAME:
        return []
    name = HELPER_NAME[Backend(backend)]
    with Ctnetlink() as kernel:
        return [
            describe_expectation(one) for one in kernel.list_expectations() if one.helper == name
        ]


def _total(helper: Report, expectations: list[Report]) -> Report:
    """The workers' sum, each session with the number of its open expectations."""
    total = combine(helper["workers"])
    open_ = Counter((one["client"], one["server"]) for one in expectations)
    for session in total["sessions"]:
        session["expectations"] = open_[session["client"], session["server"]]
    return total


OVER = frozenset({TcpState.TIME_WAIT, TcpState.CLOSE})


def _living(total: Report, helper: Report) -> Report:
    """The sum without sessions that the kernel calls over: workers remember them for longer."""
    policy = read_policy(helper["policy"]["text"], helper["policy"]["file"])
    with Ctnetlink(policy.gateway.zone) as kernel:
        found = [(one, kernel.get(_original(one))) for one in total["sessions"]]
    living = [one for one, entry in found if entry and entry.tcp_state not in OVER]
    return {**total, "sessions": living}


def _original(session: Report) -> Tuple:
    return Tuple(*parse_endpoint(session["client"]), *parse_endpoint(session["server"]))


def _runs(report: Report) -> bool:
    if not report["loaded"] or report["backend"] in INSPECTED:
        return bool(report["helper_running"])
    return True


def _goes_by_it(report: Report) -> bool:
    """Whether every worker answers, by the policy that is loaded and by no older one."""
    helper = report["helper"]
    if helper is None:
        return True
    standing = helper["policy"]
    return not helper["silent"] and not standing["refused"] and _is_as_loaded(report, standing)


def _view(report: Report, state: State, limit: int) -> RenderableType:
    helper, total = report["helper"], report["total"]
    if not report["loaded"] and helper is None:
        return _nothing(state)
    tables = [_gateway_table(report)]
    if helper:
        tables += [_workers_table(helper["workers"]), _sessions_table(total["sessions"], limit)]
    if report["expectations"]:
        tables.append(open_table(report["expectations"], limit))
    if helper:
        tables += [_refusals_table(total["refusals"], limit), _notes_table(total["notes"])]
    filled = [one for one in tables if one.row_count]
    return Stack(*(part for one in filled for part in (one, "")))


def _nothing(state: State) -> Text:
    text = f"nothing is loaded here (no state in {state.directory})"
    if has_capability(CAP_NET_ADMIN):
        for home in firewalls_with_ours():
            text += (
                f"\nrules of ftpfw's live on {home} without a helper:"
                " `ftpfw helper` or `ftpfw load` serves them, `ftpfw unload` removes them"
            )
    return Text(text)


def _gateway_table(report: Report) -> Table:
    helper = report["helper"]
    rows: list[Row] = []
    if report["loaded"]:
        rows += [
            ["policy", shown(report["policy"])],
            ["backend", report["backend"]],
            ["rules", _rules_line(report)],
            ["loaded for", _since(report["since"])],
        ]
    rows.append(["helper", _helper_line(report, helper)])
    if helper:
        rows.append(["goes by", _standing_line(report, helper["policy"])])
    if helper and helper["policy"]["refused"]:
        rows.append(["refused", Text(_lines(helper["policy"]["refused"]), "red")])
    if report["total"]:
        rows.append(["verdicts", _verdicts_line(report["total"]["verdict_seconds"])])
        if any(report["total"]["transfer_log"].values()):
            rows.append(["transfers", _transfer_log_line(report["total"]["transfer_log"])])
    return table("gateway", ["", ""], rows)


def _rules_line(report: Report) -> Text:
    if not report["drift"]:
        return Text(f"on {report['firewall']}, as loaded")
    return Text.assemble(
        f"on {report['firewall']}, ",
        (f"{report['drift']} differences", "red"),
        ": `ftpfw rules check` names them, `ftpfw load` mends them",
    )


def _helper_line(report: Report, helper: Report | None) -> str | Text:
    if helper:
        return Text.assemble(
            f"pid {helper['pid']}, up {_since(helper['since'])}",
            *((f"; queue {queue} does not answer", "red") for queue in helper["silent"]),
        )
    if report.get("backend") in INSPECTED:
        mend = ": `ftpfw load` with the same policy starts it again"
        return Text.assemble(("not running", "red"), mend)
    return "none needed"


def _standing_line(report: Report, standing: Report) -> str | Text:
    """Which text of the policy the helper has read; SIGHUP may have come without a load."""
    told = f"{shown(standing['file'])}, read {_since(standing['since'])} ago"
    if _is_as_loaded(report, standing):
        return told
    mend = ": `ftpfw load` has rules and helper go by the same again"
    return Text.assemble(told, (", not as loaded", "red"), mend)


def _is_as_loaded(report: Report, standing: Report) -> bool:
    if not report["loaded"]:
        return True
    texts = (standing["text"], report["text"])
    read, loaded = (read_policy(text, standing["file"]) for text in texts)
    return read == loaded


def _lines(error: str) -> str:
    """An error as it stands in the terminal otherwise: its mend on a line of its own."""
    return "\n".join(shown(line) for line in error.splitlines())


def _transfer_log_line(counts: dict[str, int]) -> Text:
    told = Text(f"{counts['written']} lines logged")
    if counts["lost"]:
        told.append(f", {counts['lost']} lost", "red").append(": the helper's log says why")
    return told


def _verdicts_line(histogram: Report) -> str:
    """How long packets waited for us, as far as the buckets tell."""
    if not sum(histogram["counts"]):
        return "none yet"
    parts = [
        f"{share:.0%} within {_microseconds(bound)}"
        for share in (0.5, 0.99)
        if (bound := verdict_within(histogram, share)) is not None
    ]
    return ", ".join(parts) or "most later than any bucket"


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:g} ms"


COUNTS = {
    "queue": "queue",
    "pid": "pid",
    "flows": "flows",
    "packets": "packets",
    "rebuilt": "changed",
    "held": "held back",
    "dropped": "dropped",
    "overruns": "overruns",
    "errors": "faults",
}
"""Key in the report → heading."""


def _workers_table(workers: list[Report]) -> Table:
    told = [{**worker, "dropped": _dropped(worker)} for worker in workers]
    rows = [[str(worker[key]) for key in COUNTS] for worker in told]
    return table("workers, and the packets each has seen", list(COUNTS.values()), rows)


def _dropped(worker: Report) -> int | str:
    """Packets that the kernel dropped before the worker saw them; – where it does not say."""
    drops = (worker["queue_dropped"], worker["user_dropped"])
    return "–" if None in drops else sum(drops)


PHASES = {"clear": "clear text", "logged-in": "logged in", "tls": "TLS"}
"""Phases whose name in reports is not a word."""


def _sessions_table(sessions: list[Report], limit: int) -> Table:
    rows = [
        [
            session["client"],
            session["server"],
            "–" if session["user"] is None else shown(session["user"]),
            PHASES.get(session["phase"], session["phase"]),
            span(session["age"]),
            str(session["expectations"]),
        ]
        for session in sessions
    ]
    columns = ["client", "server", "user", "state", "age", "expects"]
    return table(titled("sessions", rows, limit), columns, rows[:limit])


def _refusals_table(refusals: list[Report], limit: int) -> Table:
    """The newest first."""
    rows = [
        [
            time.strftime("%X", time.localtime(refusal["time"])),
            refusal["client"] or "–",
            refusal["why"] + (f" ({refusal['action']})" if refusal["action"] else ""),
            shown(refusal["line"]),
        ]
        for refusal in reversed(refusals)
    ]
    columns = ["at", "client", "why", "line"]
    return table(titled("last refusals", rows, limit), columns, rows[:limit])


def _notes_table(notes: dict[str, dict[str, int]]) -> Table:
    rows = [
        [kind, reason or "–", str(number)]
        for kind, reasons in notes.items()
        for reason, number in reasons.items()
    ]
    return table("what was in the packets", ["what", "which or why", "count"], rows)


def _since(moment: Any) -> str:
    return span(time.time() - moment)
