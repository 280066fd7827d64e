import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.tcp.serial import add, after, before, distance
from tests.unit.table import table

numbers = st.integers(0, 0xFFFFFFFF)
steps = st.integers(-(1 << 31) + 1, (1 << 31) - 1)

DISTANCES = [
    # id                   a            b            distance
    ("equal", 7, 7, 0),
    ("ahead", 7, 10, 3),
    ("behind", 10, 7, -3),
    ("ahead over the wrap", 0xFFFFFFFF, 1, 2),
    ("behind over the wrap", 1, 0xFFFFFFFF, -2),
    ("farthest ahead", 0, 0x7FFFFFFF, 0x7FFFFFFF),
    ("half way round", 0, 0x80000000, -0x80000000),
]


@pytest.mark.parametrize(("a", "b", "n"), **table(DISTANCES))
def test_distance(a: int, b: int, n: int) -> None:
    assert distance(a, b) == n


def test_add_wraps() -> None:
    assert add(0xFFFFFFFF, 1) == 0
    assert add(0, -1) == 0xFFFFFFFF


def test_half_way_round_each_is_before_the_other_as_in_the_kernel() -> None:
    assert before(0, 0x80000000)
    assert before(0x80000000, 0)


@given(numbers, steps)
def test_distance_undoes_add(a: int, n: int) -> None:
    assert distance(a, add(a, n)) == n


@given(numbers, steps)
def test_order_is_the_sign_of_the_distance(a: int, n: int) -> None:
    b = add(a, n)
    assert (before(a, b), after(a, b)) == (n > 0, n < 0)
    assert before(a, b) == after(b, a)
