"""What the bench measured, and how two gateways compare.

Both gateways run each workload in every round, next to each other in time, so a ratio is
taken within a round and the median is taken over rounds: noise of the machine that lasts
longer than a round hits both sides and cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

BASELINE, CANDIDATE = "kernel", "ftpfw"


@dataclass(frozen=True, slots=True)
class Sample:
    """One workload on one gateway in one round: ``amount`` of the workload's unit in ``seconds``.

    ``helper_cpu`` and ``client_cpu`` are CPU seconds; the first is None without a helper process.
    """

    amount: float
    seconds: float
    client_cpu: float
    helper_cpu: float | None = None

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.amount / self.seconds


@dataclass(frozen=True, slots=True)
class Measure:
    """All samples of one workload, by gateway, in the order of the rounds."""

    name: str
    unit: str
    samples: Mapping[str, tuple[Sample, ...]]

    def rate(self, gateway: str) -> float:
        """The median rate of a gateway."""
        return median(sample.rate for sample in self.samples[gateway])

    @property
    def ratios(self) -> tuple[float, ...]:
        """The candidate's rate over the baseline's, round by round."""
        pairs = zip(self.samples[CANDIDATE], self.samples[BASELINE], strict=True)
        return tuple(candidate.rate / baseline.rate for candidate, baseline in pairs)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(self.ratios)

    def client_cpu_us(self, gateway: str) -> float:
        """CPU microseconds of the load generator for one unit."""
        samples = self.samples[gateway]
        return 1e6 * sum(s.client_cpu for s in samples) / sum(s.amount for s in samples)

    @property
    def helper_cpu_us(self) -> float | None:
        """CPU microseconds of the candidate's process for one unit, over all rounds."""
        samples = self.samples[CANDIDATE]
        spent = [s.helper_cpu for s in samples if s.helper_cpu is not None]
        return 1e6 * sum(spent) / sum(s.amount for s in samples) if spent else None

    def as_json(self) -> dict[str, object]:
        """The workload as it stands in ``--json``; every round's rate is there."""
        rates = {name: [round(s.rate, 2) for s in of] for name, of in self.samples.items()}
        helper_cpu = self.helper_cpu_us
        return {
            "name": self.name,
            "unit": self.unit,
            "rates": rates,
            "ratio": round(self.ratio, 3),
            "ratio_range": [round(min(self.ratios), 3), round(max(self.ratios), 3)],
            "helper_cpu_us": None if helper_cpu is None else round(helper_cpu, 1),
            "client_cpu_us": {name: round(self.client_cpu_us(name), 1) for name in self.samples},
        }


@dataclass(frozen=True, slots=True)
class BenchReport:
    """A whole bench: what was measured, and on what."""

    measures: tuple[Measure, ...]
    kernel: str
    cores: int
    backend: str
    versions: Mapping[str, str]
    sessions: int
    rounds: int
    size_mib: int
    seconds: float

    def as_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "kernel": self.kernel,
            "cores": self.cores,
            "backend": self.backend,
            "versions": dict(self.versions),
            "sessions": self.sessions,
            "rounds": self.rounds,
            "size_mib": self.size_mib,
            "seconds": round(self.seconds, 1),
            "workloads": [measure.as_json() for measure in self.measures],
        }
