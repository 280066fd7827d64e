from __future__ import annotations

import errno

import pytest

from ftpfw.capture.kernel import MAX_EXPECTED, CaptureKernel
from ftpfw.conntrack.model import Conntrack, Expectation, Status, Tuple
from ftpfw.errors import KernelError

CLIENT, SERVER = b"\x0a\0\0\1", b"\xc0\0\2\1"
CONTROL = Tuple(CLIENT, 40000, SERVER, 21)
CONNTRACK = Conntrack(1, CONTROL, CONTROL.inverted(), Status.CONFIRMED, helper="ftpfw")


def kernel() -> CaptureKernel:
    return CaptureKernel({CONTROL: CONNTRACK, CONTROL.inverted(): CONNTRACK}.get)


def expectation(port: int, sport: int = 0) -> Expectation:
    mask = Tuple(b"\xff" * 4, 0xFFFF if sport else 0, b"\xff" * 4, 0xFFFF)
    return Expectation(CONTROL, Tuple(CLIENT, sport, SERVER, port), mask, timeout=300)


def dialled(port: int, sport: int = 50000) -> Tuple:
    return Tuple(CLIENT, sport, SERVER, port)


def test_an_expectation_serves_one_connection() -> None:
    made = kernel()
    made.add_expectation(expectation(4000))
    assert made.meet(dialled(4001)) is None
    assert made.meet(dialled(4000)) == expectation(4000)
    assert made.meet(dialled(4000)) is None


@pytest.mark.parametrize(("after", "met"), [(300, True), (300.5, False)])
def test_it_waits_by_the_clock_of_the_capture(after: float, met: bool) -> None:
    made = kernel()
    made.now = 1000.0
    made.add_expectation(expectation(4000))
    made.now += after
    assert (made.meet(dialled(4000)) is not None) is met
    assert made.list_expectations(expectation(4000).tuple.family) == []


def test_a_source_port_that_is_given_binds() -> None:
    made = kernel()
    made.add_expectation(expectation(4000, sport=20))
    assert not made.expects(dialled(4000, sport=50000))
    assert made.expects(dialled(4000, sport=20))


def test_a_clash_is_refused_until_the_first_is_withdrawn() -> None:
    made = kernel()
    made.add_expectation(expectation(4000))
    with pytest.raises(KernelError) as clash:
        made.add_expectation(expectation(4000))
    assert clash.value.errno == errno.EBUSY
    made.delete_expectation(expectation(4000))
    made.add_expectation(expectation(4000))
    made.forget(CONTROL)
    with pytest.raises(KernelError) as gone:
        made.delete_expectation(expectation(4000))
    assert gone.value.errno == errno.ENOENT


def test_one_that_has_expired_clashes_with_nothing() -> None:
    made = kernel()
    made.add_expectation(expectation(4000))
    made.now = 301.0
    made.add_expectation(expectation(4000))
    assert made.expects(dialled(4000))


def test_past_the_bound_the_oldest_goes() -> None:
    made = kernel()
    for port in range(4000, 4000 + MAX_EXPECTED + 1):
        made.add_expectation(expectation(port))
    assert not made.expects(dialled(4000))
    assert made.expects(dialled(4001))
    assert len(made.list_expectations(CONTROL.family)) == MAX_EXPECTED


def test_a_mark_lasts_as_long_as_its_connection() -> None:
    made = kernel()
    made.set_mark(CONTROL, 0x6, 0x2)
    made.set_mark(CONTROL, 0x8, 0x8)
    marked = made.get(CONTROL.inverted())
    assert marked is not None
    assert marked.mark == 0xA
    assert made.list_conntracks(CONTROL.family, mark=2, mask=2) == [marked]
    assert made.list_conntracks(CONTROL.family, mark=4, mask=4) == []
    made.set_mark(CONTROL, 0, 0x2)
    assert made.mark(CONTROL) == 0x8
    made.forget(CONTROL)
    assert made.mark(CONTROL) == 0
