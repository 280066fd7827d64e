"""The watchdog's sign of life."""

from __future__ import annotations

import os

import pytest

from ftpfw.helper.watchdog import Pulse, Watch, watchdog_seconds


def test_every_queue_must_be_read_between_two_looks() -> None:
    one, other = Pulse(), Pulse()
    watch = Watch([one, other])
    assert not watch.all_alive()
    one.beat()
    assert not watch.all_alive()
    other.beat()
    assert watch.all_alive()
    assert not watch.all_alive()


def test_a_beat_is_seen_in_another_process() -> None:
    pulse = Pulse()
    child = os.fork()
    if not child:
        pulse.beat()
        os._exit(0)
    os.waitpid(child, 0)
    assert pulse.beats == 1


WANTED = [
    # id, $WATCHDOG_USEC, $WATCHDOG_PID, seconds
    ("nothing wanted", None, None, None),
    ("three seconds", "3000000", None, 3.0),
    ("of this process", "3000000", str(os.getpid()), 3.0),
    ("of another process", "3000000", "1", None),
]


@pytest.mark.parametrize(
    ("limit", "pid", "seconds"), [row[1:] for row in WANTED], ids=[row[0] for row in WANTED]
)
def test_what_the_manager_wants(
    monkeypatch: pytest.MonkeyPatch, limit: str | None, pid: str | None, seconds: float | None
) -> None:
    for name, value in (("WATCHDOG_USEC", limit), ("WATCHDOG_PID", pid)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    assert watchdog_seconds() == seconds
