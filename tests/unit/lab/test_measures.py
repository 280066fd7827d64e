from __future__ import annotations

import json

import pytest

from ftpfw.lab.measures import BenchReport, Measure, Sample


def sample(rate: float, helper_cpu: float | None = None) -> Sample:
    return Sample(amount=rate, seconds=1.0, client_cpu=0.1, helper_cpu=helper_cpu)


def measure(kernel: list[float], ftpfw: list[float], cpu: float | None = None) -> Measure:
    samples = {
        "kernel": tuple(map(sample, kernel)),
        "ftpfw": tuple(sample(rate, cpu) for rate in ftpfw),
    }
    return Measure("active", "sessions", samples)


def test_ratio_is_taken_within_a_round() -> None:
    slow_second_round = measure(kernel=[400, 40, 400], ftpfw=[200, 20, 200])
    assert slow_second_round.ratio == pytest.approx(0.5)


def test_rate_is_the_median_of_rounds() -> None:
    assert measure(kernel=[1, 300, 310], ftpfw=[1, 1, 1]).rate("kernel") == 300


def test_helper_cpu_is_summed_before_it_is_divided() -> None:
    assert measure([1], [100, 300], cpu=0.02).helper_cpu_us == pytest.approx(100.0)


def test_no_helper_process_no_cpu() -> None:
    assert measure([1], [1]).helper_cpu_us is None


def test_unequal_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        _ = measure(kernel=[1, 2], ftpfw=[1]).ratio


def test_json_has_every_round() -> None:
    measured = measure([100, 200], [50, 100], cpu=0.01)
    report = BenchReport((measured,), "6.18", 2, "borrowed", {"vsftpd": "3.0.3"}, 200, 2, 256, 3.21)
    (workload,) = json.loads(json.dumps(report.as_json()))["workloads"]
    assert workload["rates"] == {"kernel": [100, 200], "ftpfw": [50, 100]}
    assert workload["ratio"] == 0.5
