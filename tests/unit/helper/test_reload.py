"""SIGHUP: which policy is in force, and what the service manager hears."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ftpfw.errors import HostError, PolicyError
from ftpfw.helper.eventloop import EventLoop
from ftpfw.helper.reload import Reload, on_hangup
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.policy_file import read_policy

TEXT = '[gateway]\ninside = ["eth1"]\noutside = "eth0"\nmasquerade = true\n'
STRICT = f'{TEXT}[helper]\nchecks = "strict"\n'


def policy(text: str) -> Policy:
    return read_policy(text, "gateway.toml")


def refuse() -> Policy:
    raise PolicyError("it is odd", file="gateway.toml", line=7, mend="make it even")


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(tmp_path / "notify.sock")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.setblocking(False)
        yield listener


def reloaded(reread: Callable[[], Policy]) -> tuple[Reload, list[Policy]]:
    renewed: list[Policy] = []
    reload = Reload(policy(TEXT), Backend.BORROWED, reread, renewed.append)
    reload.again()
    return reload, renewed


def test_a_newer_policy_is_put_in_force() -> None:
    reload, renewed = reloaded(lambda: policy(STRICT))
    assert renewed == [policy(STRICT)]
    assert reload.standing.policy.source.text == STRICT
    assert reload.standing.refused is None


@pytest.mark.parametrize(
    ("reread", "reason"),
    [
        (refuse, "gateway.toml:7: it is odd\n  mend: make it even"),
        (lambda: policy(f'{TEXT}[helper]\nqueue = "5"\n'), "gateway.toml:6: helper.queue"),
    ],
    ids=["bad", "not without a restart"],
)
def test_a_refused_policy_leaves_the_one_before(
    reread: Callable[[], Policy], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    reload, renewed = reloaded(reread)
    assert not renewed
    assert reload.standing.policy.source.text == TEXT
    assert (reload.standing.refused or "").startswith(reason)
    assert reason in caplog.text


def test_a_worker_that_does_not_answer_may_be_asked_again() -> None:
    silent = [HostError("the worker for queue 3 is stuck")]

    def renew(_: Policy) -> None:
        if silent:
            raise silent.pop()

    reload = Reload(policy(TEXT), Backend.BORROWED, lambda: policy(STRICT), renew)
    told = []
    for _ in range(2):
        reload.again()
        told.append((reload.standing.refused, reload.standing.policy.source.text))
    assert told == [("the worker for queue 3 is stuck", TEXT), (None, STRICT)]


@pytest.mark.parametrize("reread", [refuse, lambda: policy(STRICT)], ids=["refused", "taken"])
def test_the_service_manager_hears_when_it_is_over(
    reread: Callable[[], Policy], manager: socket.socket
) -> None:
    reloaded(reread)
    begin = manager.recv(100)
    assert begin.startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert manager.recv(100) == b"READY=1"


def test_a_hangup_calls_in_the_loop() -> None:
    with closing(EventLoop()) as loop, on_hangup(loop, loop.stop):
        os.kill(os.getpid(), signal.SIGHUP)
        loop.run()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
