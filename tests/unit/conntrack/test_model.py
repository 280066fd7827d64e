"""Endpoints as text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ftpfw.conntrack.model import format_endpoint, parse_endpoint

ADDRESSES = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)


@given(ADDRESSES, st.integers(0, 65535))
def test_what_is_formatted_is_parsed_back(address: bytes, port: int) -> None:
    assert parse_endpoint(format_endpoint(address, port)) == (address, port)
