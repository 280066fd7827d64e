"""When a control connection's conntrack gets its full time again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpfw.helper.lifetime import SHORTEST_PAUSE, Look, look
from tests.unit.table import table

LOOKS = [
    # id, left, full time known before, what to do
    ("fresh, at first sight", 431999, 0, Look(432000, refresh=False, pause=215999.5)),
    ("half is over", 216000, 432000, Look(432000, refresh=True, pause=216000.0)),
    ("more than half is left", 300000, 432000, Look(432000, refresh=False, pause=150000.0)),
    ("another timeout applies now", 7439, 299, Look(7440, refresh=False, pause=3719.5)),
    ("first seen when it is almost over", 0, 0, Look(1, refresh=True, pause=0.5)),
]


@pytest.mark.parametrize(("left", "full", "found"), **table(LOOKS))
def test_what_a_look_decides(left: int, full: int, found: Look) -> None:
    assert look(left, full) == found


@given(st.integers(2, 500_000), st.integers(0, 500_000), st.integers(1, 200))
def test_an_entry_that_is_looked_at_in_time_never_times_out(
    full: int, left: int, looks: int
) -> None:
    """Its time runs as the clock does; the kernel tells whole seconds of it."""
    left_to_live, known = float(min(left, full) + 1), 0
    for _ in range(looks):
        found = look(int(left_to_live), known)
        known = found.full
        if found.refresh:
            left_to_live = float(found.full)
        left_to_live -= found.pause
        assert left_to_live > 0
        assert found.pause >= SHORTEST_PAUSE
