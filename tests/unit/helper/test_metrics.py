"""Metrics: what Prometheus is told, in its own words, read back with its own parser."""

from __future__ import annotations

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ftpfw import __version__
from ftpfw.ftp.checks import Action
from ftpfw.ftp.negotiation import Kind
from ftpfw.helper.commands import HELD_BACK, UNCHANGED, Accept, Note, NoteKind
from ftpfw.helper.metrics import FAMILIES, OUTCOMES, Type
from ftpfw.helper.metrics_server import ReportCollector
from ftpfw.helper.report import Report
from ftpfw.helper.tally import BOUNDS, Tally

from .reports import helper_report, worker_report


def exposition(report: Report) -> str:
    registry = CollectorRegistry()
    registry.register(ReportCollector(lambda: report))
    return generate_latest(registry).decode()


def values(report: Report) -> dict[str, float]:
    """``name{label="value"}`` → value, of every sample."""
    found = {}
    for family in text_string_to_metric_families(exposition(report)):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def busy() -> Tally:
    tally = Tally(overruns=2, errors=1)
    for verdict in (UNCHANGED, UNCHANGED, Accept(b"changed"), HELD_BACK):
        tally.count(verdict)
        tally.verdicts.observe(20e-6)
    for note in (
        Note(NoteKind.EXPECTED, "PORT", about=Kind.PORT),
        Note(NoteKind.EXPECTED, "FTPS"),
        Note(NoteKind.REFUSED, "foreign address", about=Kind.PASV),
        Note(NoteKind.UNUSABLE, "no port", about=Kind.EPRT),
        Note(NoteKind.CHECK, "nul", action=Action.RESET),
        Note(NoteKind.REWRITTEN, "original"),
        Note(NoteKind.HELD),
        Note(NoteKind.HOLD_GIVEN_UP),
        Note(NoteKind.KERNEL_ERROR, "EBUSY"),
        Note(NoteKind.UNTRACKED, "no conntrack"),
    ):
        tally.note(note, 1.0)
    return tally


BUSY = helper_report(
    worker_report(
        0,
        busy(),
        flows=3,
        queue_dropped=7,
        user_dropped=8,
        transfer_log={"written": 4, "lost": 1},
    ),
    expectations=5,
)

TOLD = [
    ("ftpfw_packets_total{verdict=unchanged}", 2),
    ("ftpfw_packets_total{verdict=changed}", 1),
    ("ftpfw_packets_total{verdict=held}", 1),
    ("ftpfw_negotiations_total{kind=PORT,outcome=expected}", 1),
    ("ftpfw_negotiations_total{kind=PASV,outcome=refused}", 1),
    ("ftpfw_negotiations_total{kind=EPRT,outcome=unusable}", 1),
    ("ftpfw_negotiations_total{kind=EPSV,outcome=expected}", 0),
    ("ftpfw_negotiations_total{kind=FTPS,outcome=expected}", 1),
    ("ftpfw_refusals_total{outcome=refused,reason=foreign address}", 1),
    ("ftpfw_refusals_total{outcome=unusable,reason=no port}", 1),
    ("ftpfw_checks_total{action=reset,check=nul}", 1),
    ("ftpfw_rewrites_total{direction=original}", 1),
    ("ftpfw_rewrites_total{direction=reply}", 0),
    ("ftpfw_held_lines_total", 1),
    ("ftpfw_holds_given_up_total", 1),
    ("ftpfw_kernel_errors_total{errno=EBUSY}", 1),
    ("ftpfw_other_notes_total{reason=no conntrack,what=untracked}", 1),
    ("ftpfw_queue_dropped_packets_total{full=queue}", 7),
    ("ftpfw_queue_dropped_packets_total{full=socket}", 8),
    ("ftpfw_queue_overruns_total", 2),
    ("ftpfw_faults_total", 1),
    ("ftpfw_transfer_log_lines_total{outcome=written}", 4),
    ("ftpfw_transfer_log_lines_total{outcome=lost}", 1),
    ("ftpfw_flows", 3),
    ("ftpfw_expectations", 5),
    ("ftpfw_worker_up{queue=0}", 1),
    ("ftpfw_start_time_seconds", 1000.0),
    (f"ftpfw_build_info{{backend=borrowed,version={__version__}}}", 1),
    ("ftpfw_verdict_seconds_bucket{le=2.5e-05}", 4),
    ("ftpfw_verdict_seconds_bucket{le=+Inf}", 4),
    ("ftpfw_verdict_seconds_count", 4),
]


@pytest.mark.parametrize(("sample", "value"), TOLD, ids=[row[0] for row in TOLD])
def test_what_is_told(sample: str, value: float) -> None:
    assert values(BUSY)[sample] == value


def test_the_rows_above_name_every_family() -> None:
    rows = {re.sub(r"\{.*", "", sample) for sample, _ in TOLD}
    assert rows >= {family.name for family in FAMILIES}


@pytest.mark.parametrize("kind", NoteKind, ids=lambda kind: kind.value)
def test_every_note_is_told(kind: NoteKind) -> None:
    tally = Tally()
    about = Kind.PORT if kind in OUTCOMES else None
    action = Action.LOG if kind is NoteKind.CHECK else None
    tally.note(Note(kind, "why", about=about, action=action), 1.0)
    assert values(helper_report(worker_report(0, tally))) != values(helper_report())


def test_several_workers_are_summed() -> None:
    workers = [worker_report(queue, busy(), flows=3) for queue in range(3)]
    told = values(helper_report(*workers))
    assert told["ftpfw_packets_total{verdict=unchanged}"] == 6
    assert told["ftpfw_kernel_errors_total{errno=EBUSY}"] == 3
    assert told["ftpfw_flows"] == 9
    assert told["ftpfw_verdict_seconds_count"] == 12
    assert [told[f"ftpfw_worker_up{{queue={queue}}}"] for queue in range(3)] == [1, 1, 1]


def test_a_worker_that_does_not_answer_is_down() -> None:
    told = values(helper_report(worker_report(3), silent=[4]))
    assert (told["ftpfw_worker_up{queue=3}"], told["ftpfw_worker_up{queue=4}"]) == (1, 0)


def test_drops_that_nobody_knows_are_not_told() -> None:
    told = values(helper_report(worker_report(queue_dropped=None, user_dropped=None)))
    assert not [name for name in told if name.startswith("ftpfw_queue_dropped")]


def test_every_family_has_its_help_and_type_even_before_it_has_samples() -> None:
    lines = exposition(helper_report()).splitlines()
    names = {*(family.name for family in FAMILIES), "ftpfw_verdict_seconds"}
    assert {line.split()[2] for line in lines if line.startswith("# HELP ")} == names
    assert {line.split()[2] for line in lines if line.startswith("# TYPE ")} == names


def test_names_follow_the_conventions() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"ftpfw_[a-z_]+", family.name)
        assert family.name.endswith("_total") is (family.type is Type.COUNTER)


def test_buckets_only_grow_and_end_with_all() -> None:
    tally = Tally()
    for bound in (*BOUNDS, 1.0):
        tally.verdicts.observe(bound)
    told = values(helper_report(worker_report(0, tally)))
    buckets = [value for name, value in told.items() if "_bucket" in name]
    assert buckets == [*range(1, len(BOUNDS) + 2)]
    assert told["ftpfw_verdict_seconds_sum"] == pytest.approx(sum(BOUNDS) + 1.0)


def test_a_kernel_that_does_not_say_what_it_expects_has_no_sample() -> None:
    assert "ftpfw_expectations" in values(helper_report())
    assert "ftpfw_expectations" not in values(helper_report(expectations=None))
