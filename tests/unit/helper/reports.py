"""Reports of helpers, as tests need them."""

from __future__ import annotations

from typing import Any

from ftpfw.helper.report import Report
from ftpfw.helper.tally import Tally


def worker_report(queue: int = 0, tally: Tally | None = None, **changes: Any) -> Report:
    """What a worker says that has counted ``tally``."""
    return {
        "pid": 100 + queue,
        "queue": queue,
        "flows": 0,
        **(tally or Tally()).as_json(),
        "queue_dropped": 0,
        "user_dropped": 0,
        "transfer_log": {"written": 0, "lost": 0},
        "sessions": [],
        **changes,
    }


def helper_report(*workers: Report, **changes: Any) -> Report:
    """What a helper says that has these workers."""
    return {
        "pid": 99,
        "backend": "borrowed",
        "since": 1000.0,
        "expectations": 0,
        "workers": list(workers or [worker_report()]),
        "silent": [],
        **changes,
    }
