from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from ftpfw.lab.raw import host_port, port_line


def test_port_line() -> None:
    assert port_line("10.77.1.10", 51213) == b"PORT 10,77,1,10,200,13\r\n"


@given(st.ip_addresses(v=4), st.integers(1, 65535))
def test_a_227_names_what_a_port_line_named(address: IPv4Address, port: int) -> None:
    argument = port_line(str(address), port)[5:-2]
    assert host_port(b"227 Entering Passive Mode (%s)\r\n" % argument) == (str(address), port)
