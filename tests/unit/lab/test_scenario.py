from __future__ import annotations

import pytest

from ftpfw.lab.results import Verdict
from ftpfw.lab.scenario import (
    BEYOND_THE_KERNEL,
    CLIENT_ROWS,
    NAT_GATEWAY,
    Client,
    Column,
    Mode,
    Segments,
    after_noop,
    bare_lf,
    byte_by_byte,
    cut_in_two,
    leading_zeros,
    two_spaces,
    whole,
)

LINE = b"PORT 10,77,1,10,200,13\r\n"

REWORDED = [
    pytest.param(whole, (LINE,), id="whole"),
    pytest.param(cut_in_two, (b"PORT 10", b",77,1,10,200,13\r\n"), id="cut in two"),
    pytest.param(after_noop, (b"NOOP\r\nPORT 10,77,1,10,200,13\r\n",), id="pipelined"),
    pytest.param(bare_lf, (b"PORT 10,77,1,10,200,13\n",), id="bare LF"),
    pytest.param(two_spaces, (b"PORT  10,77,1,10,200,13\r\n",), id="two spaces"),
    pytest.param(leading_zeros, (b"PORT 010,077,001,010,200,013\r\n",), id="leading zeros"),
]


@pytest.mark.parametrize(("segments", "sent"), REWORDED)
def test_reworded(segments: Segments, sent: tuple[bytes, ...]) -> None:
    assert segments(LINE) == sent


def test_byte_by_byte_loses_nothing() -> None:
    assert {len(segment) for segment in byte_by_byte(LINE)} == {1}
    assert b"".join(byte_by_byte(LINE)) == LINE


def test_row_names_are_unique() -> None:
    names = [row.name for row in NAT_GATEWAY.rows]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("mode", Mode)
def test_without_a_helper_active_fails_and_passive_passes(mode: Mode) -> None:
    expected = Verdict.FAIL if mode.active else Verdict.PASS
    rows = [row for row in CLIENT_ROWS if row.mode is mode and not row.cannot]
    assert {row.expected[Column.NONE] for row in rows} == {expected}


def test_ftpfw_is_to_pass_whatever_can_be_tried() -> None:
    tried = [row for row in NAT_GATEWAY.rows if not row.cannot]
    assert {row.expected[Column.FTPFW] for row in tried} == {Verdict.PASS}


def test_what_a_client_cannot_do_is_expected_nowhere() -> None:
    (row,) = (row for row in NAT_GATEWAY.rows if row.cannot)
    assert (row.mode, row.client) == (Mode.EPRT, Client.LFTP)
    assert set(row.expected.values()) == {Verdict.NOT_APPLICABLE}


def test_beyond_rows_leave_out_the_column_without_a_helper() -> None:
    assert {frozenset(row.expected) for row in BEYOND_THE_KERNEL} == {
        frozenset({Column.KERNEL, Column.FTPFW})
    }
