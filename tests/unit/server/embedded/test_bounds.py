from __future__ import annotations

from typing import Any

import pytest

from ftpfw.server.embedded.bounds import (
    DISK_IS_FULL,
    TOO_MANY,
    TOO_MANY_FROM_HERE,
    TOO_MUCH,
    Census,
    Room,
    pause,
    refuse_login,
    refuse_session,
    refuse_upload,
)
from ftpfw.server.settings import Limits, Settings, changed

SESSIONS = [
    (Limits(clients=2), Census(1, 0, 0), None),
    (Limits(clients=2), Census(2, 0, 0), TOO_MANY),
    (Limits(clients_per_address=1), Census(1, 1, 0), TOO_MANY_FROM_HERE),
    (Limits(clients_per_address=1), Census(1, 0, 0), None),
    (Limits(clients=None, clients_per_address=None), Census(999, 999, 999), None),
    (Limits(clients=2, clients_from_login=True), Census(9, 0, 1), None),
    (Limits(clients_per_address=1, clients_per_address_from_login=True), Census(3, 3, 0), None),
]


@pytest.mark.parametrize(("limits", "census", "reply"), SESSIONS)
def test_sessions(limits: Limits, census: Census, reply: str | None) -> None:
    assert refuse_session(limits, census) == reply


LOGINS = [
    (Limits(), None),
    (Limits(anonymous_clients=3), None),
    (Limits(anonymous_clients=2), TOO_MANY),
    (Limits(clients_per_user=2, anonymous_clients=9), TOO_MANY),
    (Limits(clients=2), None),
    (Limits(clients=2, clients_from_login=True), TOO_MANY),
    (Limits(clients_per_address=1), None),
    (Limits(clients_per_address=1, clients_per_address_from_login=True), TOO_MANY_FROM_HERE),
    (Limits(clients_per_address=2, clients_per_address_from_login=True), None),
]


@pytest.mark.parametrize(("limits", "reply"), LOGINS)
def test_logins(limits: Limits, reply: str | None) -> None:
    assert refuse_login(limits, Census(5, 1, 2, 1)) == reply


ROOMS: list[tuple[dict[str, Any], Room, int, str | None]] = [
    ({}, Room(1, 10, 100, 50), 0, None),
    ({}, Room(1, 10, 100, 10), 0, DISK_IS_FULL),
    ({"limits.full_disk": None}, Room(1, 10, 100, 0), 0, None),
    ({}, Room(1, 10, 0, 0), 0, None),  # a file system that does not count
    ({"limits.upload_bytes": 5}, Room(1, 10, 100, 50), 5, None),
    ({"limits.upload_bytes": 5}, Room(1, 10, 100, 50), 6, TOO_MUCH),
    ({"anonymous.drop_box.quota_bytes": 10}, Room(1, 10, 100, 50), 6, None),
    ({"anonymous.drop_box.quota_bytes": 10}, Room(1, 11, 100, 50), 6, TOO_MUCH),
    ({"anonymous.drop_box.quota_files": 1}, Room(1, 11, 100, 50), 6, None),
    ({"anonymous.drop_box.quota_files": 1}, Room(2, 11, 100, 50), 6, TOO_MUCH),
]


@pytest.mark.parametrize(("changes", "room", "written", "reply"), ROOMS)
def test_uploads(changes: dict[str, Any], room: Room, written: int, reply: str | None) -> None:
    assert refuse_upload(changed(Settings(), changes), room, written) == reply


@pytest.mark.parametrize(
    ("done", "rate", "elapsed", "seconds"),
    [(100, 100, 0.0, 1.0), (100, 100, 0.5, 0.5), (100, 100, 2.0, 0.0), (0, 100, 0.0, 0.0)],
)
def test_pause(done: int, rate: int, elapsed: float, seconds: float) -> None:
    assert pause(done, rate, elapsed) == seconds
