"""Policies with many published servers: each behind its own address, or all behind one."""

from __future__ import annotations

from hypothesis import strategies as st

from ftpfw.ruleset.policy import Policy
from ftpfw.ruleset.policy_file import read_policy

HEAD = """\
[gateway]
inside = ["eth1"]
outside = "eth0"
masquerade = true
[clients]
allow = ["{}"]
"""
INSIDE = {4: "10.0.0.0/8", 6: "fd00::/16"}


def many_servers(count: int, *, one_address: bool = False, version: int = 4) -> str:
    """A policy's text: ``count`` servers, at ports of one public address or each at its own."""
    servers = (_server(index, one_address, version) for index in range(count))
    return HEAD.format(INSIDE[version]) + "".join(servers)


def _server(index: int, one_address: bool, version: int) -> str:
    address = f"10.1.{index // 256}.{index % 256}"
    public = "203.0.113.1" if one_address else f"198.51.{100 + index // 256}.{index % 256}"
    if version == 6:
        address = f"fd00:1::{index:x}:1"
        public = "2001:db8::1" if one_address else f"2001:db8:1::{index:x}:1"
    port = 2000 + index if one_address else 21
    first = 20000 + 10 * index if one_address else 50000
    return (
        f'[[server]]\naddress = "{address}"\npublic = "{public}"\n'
        f'port = {port}\npassive_ports = "{first}-{first + 9}"\n'
    )


@st.composite
def many_policies(draw: st.DrawFn) -> Policy:
    """Up to forty servers, of either kind."""
    text = many_servers(draw(st.integers(2, 40)), one_address=draw(st.booleans()))
    return read_policy(text, "many.toml")
