"""The run of the nat-gateway scenario: every column at once, each on its own copy of the topology.

A column's thread owns its copy and unwinds it by itself, so a column that ends early, by an
error or by a signal to the whole run, leaves nothing behind.
"""

from __future__ import annotations

import os
import platform
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pyroute2 import netns

from ftpfw.lab import clients, raw
from ftpfw.lab.gateway import Gateway, kernel_has_helper, loaded
from ftpfw.lab.hosts import LabHost, kill_processes, raised, sweep, work_directory
from ftpfw.lab.programs import versions
from ftpfw.lab.results import Cell, Report, RowResult, Verdict, last_lines, modes_sent
from ftpfw.lab.scenario import Client, Column, Row, Scenario
from ftpfw.lab.topology import NAT_GATEWAY, namespace_owner
from ftpfw.lab.vsftpd import Site, serving

FILE_SIZE = 1 << 20
DOWNLOAD = "download.bin"
SEED = 959  # the files are random, and the same in every run
DAEMON_ADDRESS = NAT_GATEWAY.address("server", "eth0", 0)
SCRIPTED_ADDRESS = NAT_GATEWAY.address("server", "eth0", 1)

Observer = Callable[[Row, Column, Cell], None]


class Stopped(Exception):  # noqa: N818 -- a column's way out when the run was stopped
    """The run was stopped from outside."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a column's rows need: its hosts, the server's files and the two contents."""

    hosts: Mapping[str, LabHost]
    site: Site
    directory: Path
    download: bytes
    upload: bytes


@dataclass(slots=True)
class Run:
    """What the columns share; ``backend`` is filled in by the ftpfw column."""

    rows: tuple[Row, ...]
    observe: Observer
    stop: threading.Event = field(default_factory=threading.Event)
    backend: str = "n/a"


def run(scenario: Scenario, observe: Observer) -> Report:
    """Run a scenario; ``observe`` hears of each cell, from the columns' threads."""
    started, clock = datetime.now(UTC), time.monotonic()
    sweep()
    state = Run(scenario.rows, observe)
    with _columns(state) as futures:
        cells = {futures[done]: done.result() for done in as_completed(futures)}
    rows = tuple(
        RowResult(
            row.name,
            row.mode.value,
            row.client.value,
            {column.value: cells[column][row.name] for column in Column if column in row.expected},
        )
        for row in scenario.rows
    )
    return Report(
        scenario.name,
        platform.release(),
        state.backend,
        started.isoformat(timespec="seconds"),
        time.monotonic() - clock,
        rows,
        versions(),
    )


@contextmanager
def _columns(run: Run) -> Iterator[dict[Future[dict[str, Cell]], Column]]:
    """The running columns; on the way out after an error they are stopped, and always awaited."""
    with ThreadPoolExecutor(max_workers=len(Column)) as pool:
        try:
            yield {pool.submit(_run_column, run, column): column for column in Column}
        except BaseException:
            run.stop.set()
            _kill_clients()
            raise


def _kill_clients() -> None:
    """End the cells in flight, so that their columns see at once that the run was stopped."""
    for name in netns.listnetns():
        if namespace_owner(name) == os.getpid() and name.endswith("-client"):
            kill_processes(name)


def _run_column(run: Run, column: Column) -> dict[str, Cell]:
    rows = [row for row in run.rows if column in row.expected]
    if column is Column.KERNEL and not kernel_has_helper():
        return {row.name: _untried(run, row, column, "no nf_conntrack_ftp here") for row in rows}
    with ExitStack() as stack:
        setup, gateway = build(stack, column)
        if column is Column.FTPFW:
            run.backend = gateway.backend
        return {row.name: _run_cell(run, row, column, setup) for row in rows}


def build(stack: ExitStack, column: Column) -> tuple[Setup, Gateway]:
    """Raise a column's copy of the topology, with its server and its gateway, onto a stack."""
    directory = stack.enter_context(work_directory(column))
    hosts = stack.enter_context(raised(NAT_GATEWAY, column))
    site = stack.enter_context(serving(hosts["server"], DAEMON_ADDRESS, directory))
    gateway = stack.enter_context(loaded(hosts["gateway"], column.backend, directory))
    source = random.Random(SEED)  # noqa: S311 -- content to compare, not a secret
    setup = Setup(hosts, site, directory, source.randbytes(FILE_SIZE), source.randbytes(FILE_SIZE))
    site.publish(DOWNLOAD, setup.download)
    (directory / "upload.bin").write_bytes(setup.upload)
    return setup, gateway


def _untried(run: Run, row: Row, column: Column, reason: str) -> Cell:
    cell = Cell(Verdict.NOT_APPLICABLE, Verdict.NOT_APPLICABLE, reason=reason)
    run.observe(row, column, cell)
    return cell


def _run_cell(run: Run, row: Row, column: Column, setup: Setup) -> Cell:
    if run.stop.is_set():
        raise Stopped
    if row.cannot:
        return _untried(run, row, column, row.cannot)
    clock = time.monotonic()
    try:
        if row.client is Client.RAW:
            reason = _transfer_raw(row, setup, _patience(row.expected[column]))
        else:
            reason = _transfer(row, setup)
        seen = Verdict.FAIL if reason else Verdict.PASS
    except clients.ClientFailed as error:
        reason = last_lines(str(error))
        seen = Verdict.FAIL if error.asked else Verdict.BROKEN
    cell = Cell(row.expected[column], seen, time.monotonic() - clock, reason)
    run.observe(row, column, cell)
    return cell


def _patience(expected: Verdict) -> float:
    """Seconds to wait: the expectation has its say in this, and none in what is seen."""
    return raw.BRIEF if expected is Verdict.FAIL else clients.PATIENCE


def _transfer(row: Row, setup: Setup) -> str | None:
    """Download and upload with a real client: None, or what was wrong though it did not fail."""
    uploaded = f"{row.mode}-{row.client}.bin"
    errand = clients.Errand(
        server=DAEMON_ADDRESS,
        remote_download=DOWNLOAD,
        local_download=setup.directory / f"got-{uploaded}",
        local_upload=setup.directory / "upload.bin",
        remote_upload=f"incoming/{uploaded}",
    )
    trace = clients.run(row.client, row.mode, setup.hosts["client"], errand)
    if modes_sent(trace) != {row.mode.value}:
        return f"asked for {row.mode}, sent {', '.join(sorted(modes_sent(trace)))}"
    if not _holds(errand.local_download, setup.download):
        return "the downloaded file differs"
    if not _holds(setup.site.incoming / uploaded, setup.upload):
        return "the uploaded file differs"
    return None


def _holds(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def _transfer_raw(row: Row, setup: Setup, patience: float) -> str | None:
    """Download with the raw client: None, or what was wrong."""
    with ExitStack() as stack:
        address = DAEMON_ADDRESS
        if row.script:
            address = SCRIPTED_ADDRESS
            server = setup.hosts["server"]
            stack.enter_context(raw.scripted_server(server, address, row.script, setup.download))
        content = setup.hosts["client"].call(lambda: raw.fetch(row, address, DOWNLOAD, patience))
    return None if content == setup.download else "the downloaded file differs"
