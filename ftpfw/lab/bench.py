"""The bench: the kernel's helper and ftpfw on two copies of the topology, in interleaved rounds.

The load generator is the raw client, on one thread a session: far leaner than vsftpd, which
forks twice for each session; what it takes itself is measured and reported. ftpfw's CPU time
is that of its worker processes, by the scheduler's count in nanoseconds (schedstat, in
Documentation/scheduler/sched-stats.rst); the parent of several only answers ``ftpfw status``.
What the kernel's helper takes is charged to whichever process is interrupted, and is not to
be had.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ftpfw.errors import HostError
from ftpfw.lab.gateway import Gateway, kernel_has_helper
from ftpfw.lab.hosts import LabHost, sweep, work_directory
from ftpfw.lab.lean import Session
from ftpfw.lab.library import find
from ftpfw.lab.measures import BASELINE, CANDIDATE, BenchReport, Measure, Sample
from ftpfw.lab.programs import versions
from ftpfw.lab.stage import DOWNLOAD, staged

EXERCISE, SERVER = "nat-gateway", "192.0.2.10"
"""The exercise whose columns are compared, and its server."""

SMALL, LARGE = "small.bin", "large.bin"
SMALL_SIZE = 4096
PARALLEL = 8
READ_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to do: sessions a workload and round, rounds, the size of the one large file."""

    sessions: int
    rounds: int
    size_mib: int


@dataclass(frozen=True, slots=True)
class Workload:
    """What is measured: ``work`` does it once on a client and returns what it did in ``unit``."""

    name: str
    unit: str
    work: Callable[[Effort], float]
    threads: int = 1


def _active_session() -> None:
    with Session(SERVER) as session:
        session.login()
        session.fetch_active(SMALL)
        session.command(b"QUIT", b"221")


def _passive_session() -> None:
    with Session(SERVER) as session:
        session.login()
        session.fetch_passive(SMALL)
        session.command(b"QUIT", b"221")


def _sessions(session: Callable[[], None], share: int = 1) -> Callable[[Effort], float]:
    def work(effort: Effort) -> float:
        count = max(1, effort.sessions // share)
        for _ in range(count):
            session()
        return count

    return work


def _download(_effort: Effort) -> float:
    """The large file once, read and thrown away: MiB."""
    with Session(SERVER) as session:
        session.login()
        with session.passive() as data:
            session.command(b"RETR " + LARGE.encode(), b"150")
            received, buffer = 0, bytearray(READ_SIZE)
            while count := data.recv_into(buffer):
                received += count
        session.expect(b"226")
    return received / (1 << 20)


WORKLOADS = (
    Workload("active, one by one", "sessions", _sessions(_active_session)),
    Workload("passive, one by one", "sessions", _sessions(_passive_session)),
    Workload(
        f"active, {PARALLEL} at a time",
        "sessions",
        _sessions(_active_session, share=PARALLEL),
        threads=PARALLEL,
    ),
    Workload("download", "MiB", _download),
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """One gateway under test, the client behind it and the pids of ftpfw's workers."""

    client: LabHost
    gateway: Gateway
    workers: tuple[int, ...]

    def measure(self, workload: Workload, effort: Effort) -> Sample:
        """Do a workload once."""

        def work() -> tuple[float, float]:
            done = workload.work(effort)
            return done, time.thread_time()

        helper_before, clock = cpu_seconds(self.workers), time.monotonic()
        with ThreadPoolExecutor(max_workers=workload.threads) as pool:
            parts = [pool.submit(self.client.call, work) for _ in range(workload.threads)]
            done, client_cpu = map(sum, zip(*(part.result() for part in parts), strict=True))
        seconds, helper_after = time.monotonic() - clock, cpu_seconds(self.workers)
        spent = None
        if helper_before is not None and helper_after is not None:
            spent = helper_after - helper_before
        return Sample(done, seconds, client_cpu, spent)


def cpu_seconds(pids: Iterable[int]) -> float | None:
    """CPU seconds that the living threads of processes have had; a thread that ended is not in it.

    None without a process, or on a kernel without CONFIG_SCHED_INFO.
    """
    threads = [stat for pid in pids for stat in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    if not threads:
        return None
    return sum(int(stat.read_text(encoding="ascii").split()[0]) for stat in threads) / 1e9


def samples(effort: Effort) -> int:
    """How many samples a run takes."""
    return effort.rounds * len(WORKLOADS) * 2


def run(effort: Effort, observe: Callable[[str, str], None]) -> BenchReport:
    """Run the bench; ``observe`` hears of each sample that was taken."""
    if not kernel_has_helper():
        raise HostError(
            "the bench compares with nf_conntrack_ftp, which this kernel does not have",
            mend="run it on a kernel with CONFIG_NF_CONNTRACK_FTP",
        )
    clock = time.monotonic()
    sweep()
    with ExitStack() as stack:
        contestants = {
            BASELINE: _build(stack, "kernel", effort),
            CANDIDATE: _build(stack, "ftpfw", effort),
        }
        for contestant in contestants.values():
            _warm_up(contestant, effort)
        measures = _rounds(contestants, effort, observe)
        backend = contestants[CANDIDATE].gateway.backend
    return BenchReport(
        measures,
        platform.release(),
        os.cpu_count() or 1,
        backend,
        versions(),
        effort.sessions,
        effort.rounds,
        effort.size_mib,
        time.monotonic() - clock,
    )


def _build(stack: ExitStack, column: str, effort: Effort) -> Contestant:
    exercise = find(EXERCISE)
    directory = stack.enter_context(work_directory(column))
    stage = stack.enter_context(staged(exercise, exercise.column(column), directory, column))
    site, (gateway,) = stage.sites[SERVER], stage.gateways.values()
    site.publish(SMALL, stage.files[DOWNLOAD][:SMALL_SIZE])
    site.publish(LARGE, bytes(effort.size_mib << 20))
    return Contestant(stage.hosts["client"], gateway, gateway.workers)


def _warm_up(contestant: Contestant, effort: Effort) -> None:
    """One session of each kind, unrecorded: the large file comes into the page cache."""
    for workload in WORKLOADS:
        contestant.measure(workload, replace(effort, sessions=1))


def _rounds(
    contestants: Mapping[str, Contestant], effort: Effort, observe: Callable[[str, str], None]
) -> tuple[Measure, ...]:
    """Every workload in every round on both; who goes first alternates."""
    samples: dict[tuple[str, str], list[Sample]] = {}
    names = tuple(contestants)
    for number in range(effort.rounds):
        for workload in WORKLOADS:
            for name in names if number % 2 == 0 else reversed(names):
                sample = contestants[name].measure(workload, effort)
                samples.setdefault((workload.name, name), []).append(sample)
                observe(f"{workload.name}: {name}", f"{sample.rate:.0f} {workload.unit}/s")
    return tuple(
        Measure(w.name, w.unit, {name: tuple(samples[w.name, name]) for name in names})
        for w in WORKLOADS
    )
