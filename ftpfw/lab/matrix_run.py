"""The run of the matrix: a ground for many cells, several cells at a time on each.

What crosses a ground's gateway is heard on both sides all the while; of a cell that is not as
expected the capture, from its beginning on, and its trace are kept.
"""

from __future__ import annotations

import platform
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ftpfw.errors import HostError
from ftpfw.lab.captures import Capture, capturing
from ftpfw.lab.clients import running as clients
from ftpfw.lab.clients.commands import PATIENCE, ClientFailed, Errand, Mode, What
from ftpfw.lab.exercise import Column, Service
from ftpfw.lab.gateway import kernel_has_helper
from ftpfw.lab.hosts import sweep, work_directory
from ftpfw.lab.library import folder, load
from ftpfw.lab.matrix import (
    FIREWALLS,
    Ground,
    Helper,
    MatrixReport,
    Outcome,
    Trial,
    expectation,
)
from ftpfw.lab.programs import versions
from ftpfw.lab.results import Cell, Verdict, last_lines
from ftpfw.lab.stage import DOWNLOAD, UPLOAD, Stage, staged
from ftpfw.lab.talk import parse_line
from ftpfw.lab.talker import BRIEF, Talker

FILE_SIZE = 40_000
GROUNDS_AT_ONCE, CELLS_AT_ONCE = 2, 4
SIDES = ("inside0", "outside0")

Observer = Callable[[Outcome], None]


class Stopped(Exception):  # noqa: N818 -- the way out when the run was stopped
    """The run was stopped from outside."""


@dataclass(slots=True)
class Run:
    """What the grounds share. ``evidence`` is where captures and traces of surprises go."""

    observe: Observer
    evidence: Path
    stop: threading.Event = field(default_factory=threading.Event)
    backend: str = "n/a"


def run(trials: Sequence[Trial], observe: Observer, evidence: Path) -> MatrixReport:
    """Try trials; ``observe`` hears of each outcome, from the grounds' threads."""
    started, clock = datetime.now(UTC), time.monotonic()
    sweep()
    state = Run(observe, evidence)
    by_ground: dict[Ground, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_ground[trial.ground].append(trial)
    found: dict[Trial, Outcome] = {}
    with _pool(state, GROUNDS_AT_ONCE) as pool:
        jobs = [pool.submit(_run_ground, state, *one) for one in sorted(by_ground.items())]
        for job in jobs:
            found |= {outcome.trial: outcome for outcome in job.result()}
    return MatrixReport(
        tuple(found[trial] for trial in trials),
        platform.release(),
        state.backend,
        started.isoformat(timespec="seconds"),
        time.monotonic() - clock,
        versions(),
    )


@contextmanager
def _pool(run: Run, size: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that are told to stop, and awaited, on the way out after an error."""
    with ThreadPoolExecutor(max_workers=size) as pool:
        try:
            yield pool
        except BaseException:
            run.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run_ground(run: Run, ground: Ground, trials: list[Trial]) -> list[Outcome]:
    able = [one for one in trials if expectation(one).verdict is not Verdict.NOT_APPLICABLE]
    outcomes = [_untried(run, one, expectation(one).why) for one in trials if one not in able]
    if not able:
        return outcomes
    if ground.helper == Helper.KERNEL and not kernel_has_helper():
        return outcomes + [_untried(run, one, "no nf_conntrack_ftp here") for one in able]
    try:
        return outcomes + _tried(run, ground, able)
    except HostError as error:
        if run.stop.is_set():
            raise
        return outcomes + [_without_ground(run, one, error) for one in able]


def _without_ground(run: Run, trial: Trial, error: HostError) -> Outcome:
    """A gateway that did not come about: nothing to be had where nf_tables cannot queue."""
    reason = last_lines(str(error))
    if trial.firewall == "nftables" and "queue" in reason:
        return _untried(run, trial, "this kernel's nf_tables cannot queue (nft_queue)")
    return _observed(run, trial, Cell(expectation(trial).verdict, Verdict.BROKEN, 0.0, reason))


def _untried(run: Run, trial: Trial, reason: str) -> Outcome:
    cell = Cell(Verdict.NOT_APPLICABLE, Verdict.NOT_APPLICABLE, reason=reason)
    return _observed(run, trial, cell)


def _observed(run: Run, trial: Trial, cell: Cell, captures: tuple[str, ...] = ()) -> Outcome:
    outcome = Outcome(trial, cell, expectation(trial).why, captures)
    run.observe(outcome)
    return outcome


def _tried(run: Run, ground: Ground, trials: list[Trial]) -> list[Outcome]:
    exercise = load(folder() / "matrix" / f"{ground.situation}-{ground.family}")
    values = {
        "backend": Helper(ground.helper).backend,
        "firewall": FIREWALLS[ground.firewall],
    }
    copy = f"matrix-{ground}"
    with (
        work_directory(copy) as directory,
        staged(exercise, Column(copy, copy, values), directory, copy, FILE_SIZE) as stage,
        capturing(stage.hosts["gateway"], *SIDES) as captures,
        _pool(run, CELLS_AT_ONCE) as pool,
    ):
        _greet(stage)
        if ground.helper == Helper.FTPFW:
            run.backend = stage.gateways["gateway"].backend
        return list(pool.map(lambda one: _run_cell(run, stage, one, captures), trials))


def _greet(stage: Stage) -> None:
    """Have every host on the way resolve its neighbours, which can cost SYNs their seconds."""
    for service in stage.exercise.services:
        address = service.reached or service.address
        with suppress(ClientFailed), closing(_talker(stage, address)) as talker:
            talker.say([parse_line("< 220")], PATIENCE)


def _talker(stage: Stage, address: str) -> Talker:
    return Talker(stage.hosts["client"], address, stage.files)


def _run_cell(run: Run, stage: Stage, trial: Trial, captures: tuple[Capture, ...]) -> Outcome:
    if run.stop.is_set():
        raise Stopped
    expected = expectation(trial)
    since, clock = time.time_ns(), time.monotonic()
    patience = BRIEF if expected.verdict is Verdict.FAIL else PATIENCE
    try:
        reason = clients.missing(trial.client)
        if reason:
            return _untried(run, trial, reason)
        reason = _transfer(stage, trial, patience)
        trace, seen = reason or "", Verdict.FAIL if reason else Verdict.PASS
    except ClientFailed as error:
        trace = str(error)
        reason = last_lines(trace)
        seen = Verdict.FAIL if error.asked else Verdict.BROKEN
    cell = Cell(expected.verdict, seen, time.monotonic() - clock, reason)
    if cell.as_expected:
        return _observed(run, trial, cell)
    place = run.evidence / str(trial).replace(" ", "-")
    place.mkdir(parents=True, exist_ok=True)
    (place / "trace.txt").write_text(trace, encoding="utf-8")
    return _observed(run, trial, cell, _keep(stage, place, captures, since))


def _keep(stage: Stage, place: Path, captures: tuple[Capture, ...], since: int) -> tuple[str, ...]:
    """Write what the servers said, and what was heard from a time on; the captures' paths."""
    for log in stage.directory.glob("*/output"):
        text = log.read_text(encoding="utf-8", errors="replace")
        (place / f"{log.parent.name}.log").write_text(text, encoding="utf-8")
    paths = []
    for capture in captures:
        path = place / f"{capture.interface}.pcap"
        capture.write(path, since)
        paths.append(str(path))
    return tuple(paths)


def _transfer(stage: Stage, trial: Trial, patience: float) -> str | None:
    """None, or what was wrong though the client ended well."""
    service = next(one for one in stage.exercise.services if one.daemon == trial.server)
    what, name = What(trial.direction), str(trial).replace(" ", "-")
    remote = {What.DOWN: DOWNLOAD, What.UP: f"incoming/{name}", What.LIST: ""}[what]
    local = stage.directory / (UPLOAD if what is What.UP else f"{name}.got")
    address = service.reached or service.address
    errand = Errand(what, Mode(trial.mode), address, remote, local, patience=patience)
    if trial.client == "raw":
        _raw(stage, errand)
    else:
        clients.transfer(trial.client, stage.hosts["client"], errand)
    return _compare(stage, service, errand, name)


def _compare(stage: Stage, service: Service, errand: Errand, name: str) -> str | None:
    match errand.what:
        case What.DOWN:
            got = Path(errand.local).read_bytes()
            return None if got == stage.files[DOWNLOAD] else "the downloaded file differs"
        case What.UP:
            path = stage.sites[service.address].incoming / name
            whole = path.exists() and path.read_bytes() == stage.files[UPLOAD]
            return None if whole else "the uploaded file differs"
        case What.LIST:
            text = Path(errand.local).read_text(encoding="utf-8", errors="replace")
            missing = [one for one in (DOWNLOAD, "incoming") if one not in text]
            return f"the listing has no {', '.join(missing)}" if missing else None


def _raw(stage: Stage, errand: Errand) -> None:
    """The same, said line by line."""
    opening = {
        Mode.PORT: ("listen", "> PORT {host_port}", "< 200"),
        Mode.EPRT: ("listen", "> EPRT {eprt}", "< 200"),
        Mode.PASV: ("> PASV", "< 227", "connect"),
        Mode.EPSV: ("> EPSV", "< 229", "connect"),
    }[errand.mode]
    asking = {
        What.DOWN: (f"> RETR {errand.remote}", "< 150", f"receive {DOWNLOAD}"),
        What.UP: (f"> STOR {errand.remote}", "< 150", f"send {UPLOAD}"),
        What.LIST: ("> LIST", "< 150", "receives incoming"),
    }[errand.what]
    login = ("< 220", "> USER anonymous", "< (331|230)", "> PASS lab@", "< 230", "> TYPE I", "< 2")
    lines = [parse_line(line) for line in (*login, *opening, *asking, "< 226", "> QUIT", "< 221")]
    with closing(_talker(stage, errand.server)) as talker:
        talker.say(lines, errand.patience)
    if errand.what is not What.UP:
        content = stage.files[DOWNLOAD] if errand.what is What.DOWN else b"download.bin incoming"
        Path(errand.local).write_bytes(content)
