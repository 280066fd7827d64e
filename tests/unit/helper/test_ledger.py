from __future__ import annotations

from dataclasses import replace

import pytest

from ftpfw.conntrack.model import Direction, Expectation, Tuple
from ftpfw.helper import ledger as ledger_module
from ftpfw.helper.expecting import TIMEOUT, expected
from ftpfw.helper.ledger import Ledger
from tests.unit.table import table

from .world import ROUTED, endpoint_tuple

CLIENT = ROUTED.original.src
HERE, THERE = "10.77.1.10", "192.0.2.10"


def of_port(port: int, master: Tuple = ROUTED.original) -> Expectation:
    return replace(expected(ROUTED, Direction.ORIGINAL, port, port), master=master)


def test_each_counts_once_until_it_runs_out() -> None:
    ledger = Ledger()
    ledger.add(of_port(40000), 0.0)
    ledger.add(of_port(40000), 10.0)
    ledger.add(of_port(40001), 20.0)
    assert ledger.count(CLIENT, 20.0) == 2
    assert ledger.count(CLIENT, 10.0 + TIMEOUT) == 1
    assert ledger.count(CLIENT, 20.0 + TIMEOUT) == 0


def test_withdrawn_and_used_ones_do_not_count() -> None:
    ledger = Ledger()
    for port in (40000, 40001, 40002):
        ledger.add(of_port(port), 0.0)
    ledger.remove(of_port(40000))
    ledger.keep(CLIENT, [of_port(40002), of_port(50000)])
    assert ledger.count(CLIENT, 0.0) == 1


def test_clients_are_counted_apart() -> None:
    ledger = Ledger()
    ledger.add(of_port(40000), 0.0)
    assert ledger.count(bytes([10, 77, 1, 11]), 0.0) == 0


def test_clients_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "CLIENTS", 3)
    ledger = Ledger()
    masters = [replace(ROUTED.original, src=bytes([10, 77, 1, n])) for n in range(5)]
    for master in masters:
        ledger.add(of_port(40000, master), 0.0)
    assert [ledger.count(master.src, 0.0) for master in masters] == [0, 0, 1, 1, 1]


USES = [
    ("from any port to the one announced", endpoint_tuple(HERE, 4567, THERE, 50000), 0, True),
    ("another port", endpoint_tuple(HERE, 4567, THERE, 50001), 0, False),
    ("another client", endpoint_tuple("10.77.1.11", 4567, THERE, 50000), 0, False),
    ("too late", endpoint_tuple(HERE, 4567, THERE, 50000), TIMEOUT, False),
]


@pytest.mark.parametrize(("data", "now", "used"), **table(USES))
def test_a_connection_uses_an_expectation_up(data: Tuple, now: float, used: bool) -> None:
    ledger = Ledger()
    ledger.add(expected(ROUTED, Direction.REPLY, 50000, 50000), 0.0)
    assert ledger.use(data, now) is used
    assert not ledger.use(data, now)


def test_an_announcement_that_is_repeated_lasts_longer() -> None:
    ledger = Ledger()
    client = ROUTED.original.src
    ledger.add(of_port(40000), 0.0)
    ledger.add(of_port(40001), 1.0)
    ledger.add(of_port(40000), 100.0)
    assert [ledger.count(client, now) for now in (299, 302, 399, 401)] == [2, 1, 1, 0]
