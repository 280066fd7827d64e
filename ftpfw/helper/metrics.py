"""The metrics: which numbers of a helper's report Prometheus gets, under which names (pure).

Conventions: https://prometheus.io/docs/practices/naming/ (base units, ``_total`` on
counters) and …/instrumentation/ (series that are known beforehand begin at 0). Every label
comes of a bounded set; addresses, users and paths are in `ftpfw status` and in the
transfer log, never in labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ftpfw import __version__
from ftpfw.conntrack.model import Direction
from ftpfw.ftp.negotiation import Kind
from ftpfw.helper.commands import NoteKind
from ftpfw.helper.report import Report, combine

Samples: TypeAlias = Mapping[tuple[str, ...], float]
"""Label values, in the order of the family's labels → value."""


class Type(Enum):
    """What a family is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric; ``read`` takes its samples from a report whose ``total`` is its workers' sum."""

    name: str
    type: Type
    help: str
    labels: tuple[str, ...]
    read: Callable[[Report], Samples]


@dataclass(frozen=True, slots=True)
class Buckets:
    """A histogram; of ``buckets`` (upper end, count up to it) the last is +Inf."""

    name: str
    help: str
    buckets: tuple[tuple[str, float], ...]
    sum: float


def families(report: Report) -> list[tuple[Family, Samples]]:
    """Every family with its samples."""
    summed = {**report, "total": combine(report["workers"])}
    return [(family, family.read(summed)) for family in FAMILIES]


def verdict_times(report: Report) -> Buckets:
    """The histogram of verdict times."""
    histogram = combine(report["workers"])["verdict_seconds"]
    bounds = [*(str(bound) for bound in histogram["bounds"]), "+Inf"]
    buckets, below = [], 0
    for bound, count in zip(bounds, histogram["counts"], strict=True):
        below += count
        buckets.append((bound, float(below)))
    return Buckets(
        "ftpfw_verdict_seconds",
        "Time from a packet's arrival at the inspector to its verdict.",
        tuple(buckets),
        histogram["sum"],
    )


def _total(key: str) -> Callable[[Report], Samples]:
    return lambda report: {(): report["total"][key]}


def _note(kind: NoteKind) -> Callable[[Report], Samples]:
    """How often a kind was noted, for whatever reason."""
    return lambda report: {(): sum(report["total"]["notes"].get(kind.value, {}).values())}


def _reasons(kind: NoteKind, known: Iterable[str] = ()) -> Callable[[Report], Samples]:
    """How often a kind was noted for each reason; those ``known`` begin at 0."""

    def read(report: Report) -> Samples:
        counts = report["total"]["notes"].get(kind.value, {})
        return {(reason,): counts.get(reason, 0) for reason in dict.fromkeys([*known, *counts])}

    return read


def _packets(report: Report) -> Samples:
    total = report["total"]
    changed, held = total["rebuilt"], total["held"]
    return {
        ("unchanged",): total["packets"] - changed - held,
        ("changed",): changed,
        ("held",): held,
    }


OUTCOMES = (NoteKind.EXPECTED, NoteKind.REFUSED, NoteKind.UNUSABLE)


def _negotiations(report: Report) -> Samples:
    kinds = [kind.name for kind in Kind]
    known = {(kind, outcome.value): 0 for kind in kinds for outcome in OUTCOMES}
    known["FTPS", NoteKind.EXPECTED.value] = 0  # in the server's passive range, under TLS
    return known | _pairs(report["total"]["negotiations"])


def _refusals(report: Report) -> Samples:
    notes = report["total"]["notes"]
    kinds = (NoteKind.REFUSED.value, NoteKind.UNUSABLE.value)
    return _pairs({kind: notes[kind] for kind in kinds if kind in notes})


def _checks(report: Report) -> Samples:
    return _pairs(report["total"]["checks"])


def _others(report: Report) -> Samples:
    notes = report["total"]["notes"]
    return _pairs({kind: notes[kind] for kind in notes if kind not in WITH_THEIR_OWN})


def _pairs(nested: Report) -> dict[tuple[str, ...], float]:
    return {(a, b): count for a, inner in nested.items() for b, count in inner.items()}


def _drops(report: Report) -> Samples:
    total = report["total"]
    drops = {("queue",): total["queue_dropped"], ("socket",): total["user_dropped"]}
    return {full: count for full, count in drops.items() if count is not None}


def _transfers(report: Report) -> Samples:
    return {(outcome,): count for outcome, count in report["total"]["transfer_log"].items()}


def _expectations(report: Report) -> Samples:
    expected = report["expectations"]
    return {} if expected is None else {(): expected}


def _workers(report: Report) -> Samples:
    up = dict.fromkeys((worker["queue"] for worker in report["workers"]), 1)
    return {(str(queue),): up.get(queue, 0) for queue in [*up, *report["silent"]]}


def _build(report: Report) -> Samples:
    return {(__version__, report["backend"]): 1}


WITH_THEIR_OWN = {
    kind.value
    for kind in (
        *OUTCOMES,
        NoteKind.REWRITTEN,
        NoteKind.HELD,
        NoteKind.HOLD_GIVEN_UP,
        NoteKind.CHECK,
        NoteKind.KERNEL_ERROR,
    )
}
"""Kinds of notes that a family of their own counts."""

DIRECTIONS = tuple(direction.name.lower() for direction in Direction)

FAMILIES = (
    Family(
        "ftpfw_packets_total",
        Type.COUNTER,
        "Packets of control connections by verdict.",
        ("verdict",),
        _packets,
    ),
    Family(
        "ftpfw_negotiations_total",
        Type.COUNTER,
        "Data connections that were announced, by how and by what became of it; without those"
        " that a check stopped.",
        ("kind", "outcome"),
        _negotiations,
    ),
    Family(
        "ftpfw_refusals_total",
        Type.COUNTER,
        "Announcements that opened nothing, by reason.",
        ("outcome", "reason"),
        _refusals,
    ),
    Family(
        "ftpfw_checks_total",
        Type.COUNTER,
        "What the strict checks found, by check and by what was done about it.",
        ("check", "action"),
        _checks,
    ),
    Family(
        "ftpfw_rewrites_total",
        Type.COUNTER,
        "Lines that left with another address or port, by direction of the control connection.",
        ("direction",),
        _reasons(NoteKind.REWRITTEN, DIRECTIONS),
    ),
    Family(
        "ftpfw_held_lines_total",
        Type.COUNTER,
        "Lines that came in pieces and were held until they were whole.",
        (),
        _note(NoteKind.HELD),
    ),
    Family(
        "ftpfw_holds_given_up_total",
        Type.COUNTER,
        "Held lines that left unrewritten after all, too long or too late.",
        (),
        _note(NoteKind.HOLD_GIVEN_UP),
    ),
    Family(
        "ftpfw_kernel_errors_total",
        Type.COUNTER,
        "Requests that ctnetlink refused, by errno; EBUSY and EEXIST are ports that were taken.",
        ("errno",),
        _reasons(NoteKind.KERNEL_ERROR),
    ),
    Family(
        "ftpfw_other_notes_total",
        Type.COUNTER,
        "What else the inspector noted, by what and why.",
        ("what", "reason"),
        _others,
    ),
    Family(
        "ftpfw_queue_dropped_packets_total",
        Type.COUNTER,
        "Packets that the kernel dropped because the queue, or the inspector's socket, was full.",
        ("full",),
        _drops,
    ),
    Family(
        "ftpfw_queue_overruns_total",
        Type.COUNTER,
        "Times when the inspector was told that its socket had been full.",
        (),
        _total("overruns"),
    ),
    Family(
        "ftpfw_faults_total",
        Type.COUNTER,
        "Packets that went on unchanged after a fault of ftpfw's own.",
        (),
        _total("errors"),
    ),
    Family(
        "ftpfw_transfer_log_lines_total",
        Type.COUNTER,
        "Lines of the transfer log, and of xferlog, that were written or lost.",
        ("outcome",),
        _transfers,
    ),
    Family("ftpfw_flows", Type.GAUGE, "Control connections remembered.", (), _total("flows")),
    Family(
        "ftpfw_expectations",
        Type.GAUGE,
        "Data connections that the kernel expects now on behalf of the helper.",
        (),
        _expectations,
    ),
    Family(
        "ftpfw_worker_up",
        Type.GAUGE,
        "1 for each queue whose inspector answers, 0 for the others.",
        ("queue",),
        _workers,
    ),
    Family(
        "ftpfw_start_time_seconds",
        Type.GAUGE,
        "When the helper started, in seconds since 1970.",
        (),
        lambda report: {(): report["since"]},
    ),
    Family(
        "ftpfw_build_info",
        Type.GAUGE,
        "1, with version and backend as labels.",
        ("version", "backend"),
        _build,
    ),
)
"""The whole of it, but the histogram."""
