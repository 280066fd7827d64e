"""The parts of a helper's report, and the sum of its workers' (pure).

What `ftpfw status` shows and what Prometheus scrapes come from one report, so they agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from ftpfw.conntrack.model import Expectation, format_endpoint
from ftpfw.helper.flow import Flow
from ftpfw.helper.tally import BOUNDS, REMEMBERED

Report: TypeAlias = dict[str, Any]

SESSIONS = 1000
"""Sessions that a worker lists, the most recently used; they take it some milliseconds."""

LONGEST_USER = 64


def describe_session(flow: Flow, now: float) -> Report:
    """A control connection for reports; ``now`` is of the clock that the engine goes by."""
    original = flow.conntrack.original
    return {
        "client": format_endpoint(original.src, original.sport),
        "server": format_endpoint(original.dst, original.dport),
        "user": None if flow.user is None else flow.user[:LONGEST_USER],
        "phase": flow.phase.value,
        "age": round(max(0.0, now - flow.since), 1),
    }


@dataclass(frozen=True, slots=True)
class Drops:
    """Packets of a queue that no inspector saw, by where they were dropped; None: not known."""

    queue_dropped: int | None = 0
    user_dropped: int | None = 0


UNKNOWN = Drops(None, None)


def queue_drops(table: str, number: int) -> Drops:
    """What /proc/net/netfilter/nfnetlink_queue says of a queue.

    Columns as seq_show() in nfnetlink_queue.c prints them: number, port id, waiting, copy
    mode, copy range, dropped with the queue full, dropped at the socket, last id, 1.
    """
    for line in table.splitlines():
        columns = [int(column) for column in line.split()]
        if columns and columns[0] == number:
            return Drops(columns[5], columns[6])
    return Drops()


def describe_expectation(expectation: Expectation) -> Report:
    """An expectation for reports; the source's port is usually free."""
    wanted, nat, master = expectation.tuple, expectation.nat, expectation.master
    source = format_endpoint(wanted.src, wanted.sport)
    if not expectation.mask.sport:
        source = source.rpartition(":")[0] + ":any"
    return {
        "source": source,
        "destination": format_endpoint(wanted.dst, wanted.dport),
        "translated_to": format_endpoint(nat.tuple.src, nat.tuple.sport) if nat else None,
        "master": str(master),
        "client": format_endpoint(master.src, master.sport),
        "server": format_endpoint(master.dst, master.dport),
        "helper": expectation.helper,
        "seconds_left": expectation.timeout,
    }


def verdict_within(histogram: Report, share: float) -> float | None:
    """The bound within which ``share`` of the verdicts were given; None beyond every bound."""
    needed, below = share * sum(histogram["counts"]), 0
    for bound, count in zip(histogram["bounds"], histogram["counts"], strict=False):
        below += count
        if below >= needed:
            return float(bound)
    return None


SUMS = (
    "flows",
    "packets",
    "rebuilt",
    "held",
    "errors",
    "overruns",
    "queue_dropped",
    "user_dropped",
)
NESTED = ("notes", "negotiations", "checks")


def combine(workers: Iterable[Report]) -> Report:
    """One report of several workers': counts added, lists joined, newest refusals last."""
    reports = list(workers)
    refusals = sorted((one for r in reports for one in r["refusals"]), key=lambda one: one["time"])
    return {
        **{key: _add(report[key] for report in reports) for key in SUMS},
        **{key: _add_nested(report[key] for report in reports) for key in NESTED},
        "transfer_log": {
            key: sum(report["transfer_log"][key] for report in reports)
            for key in ("written", "lost")
        },
        "verdict_seconds": _add_histograms(report["verdict_seconds"] for report in reports),
        "sessions": [one for report in reports for one in report["sessions"]],
        "refusals": refusals[-REMEMBERED:],
    }


def _add(numbers: Iterable[int | None]) -> int | None:
    """The sum; None where a part of it is not known."""
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def _add_nested(tables: Iterable[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    total: dict[str, dict[str, int]] = {}
    for table in tables:
        for outer, counts in table.items():
            into = total.setdefault(outer, {})
            for inner, count in counts.items():
                into[inner] = into.get(inner, 0) + count
    return total


def _add_histograms(histograms: Iterable[Report]) -> Report:
    counts, total = [0] * (len(BOUNDS) + 1), 0.0
    for histogram in histograms:
        counts = [a + b for a, b in zip(counts, histogram["counts"], strict=True)]
        total += histogram["sum"]
    return {"bounds": list(BOUNDS), "counts": counts, "sum": total}
