"""Limits of speed, in the daemon and in the embedded server: how times compare, not what they are.

A transfer with the limit takes many times as long as without, and with half of it about twice as
long. Whatever else slows this machine down, it slows down all of them: they run at the same time.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftpfw.server.options import Form

from .conftest import made_namespaces
from .netns import inside
from .scripts import Client, log_in
from .served import HERE, PATIENCE, Talk
from .server_configurations import (
    PROFTPD_NO_USERS,
    PROFTPD_SITE,
    PURE,
    VSFTPD_UPLOAD,
    A,
    P,
    V,
)
from .twins import Running, running

KIB = 1024
RATE = 192
"""KiB a second: 200000 bytes take one, where the first of them are not let through at once."""

WAYS = ("RETR pub/big", "STOR open/{} (200000)")
FREE_RUNS = 3
SLOWED_BY = 4
HALVED = 1.4
"""Twice as long, less what a server lets through before it counts, and noise."""


@dataclass(frozen=True, slots=True)
class Limit:
    """An option; ``text`` is a configuration at so many KiB a second, at none with 0."""

    option: str
    form: Form
    text: Callable[[int], str]


def _vsftpd(rate: int) -> str:
    return f"{VSFTPD_UPLOAD}anon_max_rate={rate * KIB}\n"


def _proftpd(rate: int) -> str:
    lines = f"TransferRate RETR {rate}\nTransferRate STOR {rate}\n" if rate else ""
    return PROFTPD_NO_USERS + PROFTPD_SITE.format(lines)


def _pure(flag: str) -> Callable[[int], str]:
    return lambda rate: f"{PURE}-e " + (f"-{flag} {rate}:{rate}" if rate else "")


LIMITS = (
    Limit("anon_max_rate", V, _vsftpd),
    Limit("AnonymousBandwidth", A, _pure("t")),
    Limit("UserBandwidth", A, _pure("T")),
    Limit("TransferRate", P, _proftpd),
)


class Patient(Client):
    """A client that waits for the rest, however long a server rests: Pure-FTPd does for seconds."""

    def connect(self, port: int, source: str = HERE) -> socket.socket:
        return socket.create_connection((HERE, port), PATIENCE, source_address=(source, 0))


def seconds(server: Running, way: str) -> float:
    """What a transfer takes, in a session of its own."""

    def timed() -> float:
        with closing(Talk(server.at[1], host=server.at[0])) as talk:
            client = Patient(talk)
            assert log_in(client) == "2"
            client.ask("TYPE I")
            began = time.monotonic()
            assert client.play(way).startswith("2")
            return time.monotonic() - began

    return inside(server.namespace, timed)


@pytest.mark.skipif(not os.environ.get("FTPFW_SERVER_PROOF"), reason="make server-proof")
@pytest.mark.parametrize("limit", LIMITS, ids=[one.option for one in LIMITS])
def test_a_limit_slows_transfers(limit: Limit, tmp_path: Path) -> None:
    with made_namespaces() as namespaces, ExitStack() as stack, ThreadPoolExecutor() as threads:
        for name in ("daemon", "ours"):
            free, full, half = (
                stack.enter_context(
                    running(
                        namespaces.create(name),
                        limit.form,
                        limit.text(rate),
                        tmp_path / f"{name}-{rate}",
                        ours=name == "ours",
                    )
                )
                for rate in (0, RATE, RATE // 2)
            )
            for way in WAYS:
                shortest = min(seconds(free, way.format(run)) for run in range(FREE_RUNS))
                step = way.format("new")
                limited, halved = threads.map(seconds, (full, half), (step, step))
                told = f"{name}, {way}: {shortest:.3f}, {limited:.2f} and {halved:.2f} s"
                print(told, flush=True)
                assert limited > SLOWED_BY * shortest, told
                assert halved > HALVED * limited, told
