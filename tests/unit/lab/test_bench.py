from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ftpfw.lab.bench import cpu_seconds

BURN = 0.05


@pytest.fixture(autouse=True)
def _needs() -> None:
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("needs a kernel with CONFIG_SCHED_INFO")


def test_every_living_thread_of_a_process_counts() -> None:
    burnt, counted = threading.Event(), threading.Event()

    def burn() -> None:
        while time.thread_time() < BURN:
            pass
        burnt.set()
        counted.wait()

    thread = threading.Thread(target=burn)
    before = cpu_seconds([os.getpid()])
    thread.start()
    burnt.wait()
    after = cpu_seconds([os.getpid()])
    counted.set()
    thread.join()
    assert before is not None
    assert after is not None
    assert after - before > BURN / 2  # a running thread is counted up to its last tick


def test_no_process_no_time() -> None:
    assert cpu_seconds([]) is None
