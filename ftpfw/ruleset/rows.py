"""Rows of addresses and ports that never overlap, as a set of nftables wants them (pure).

A row has a network or a range of ports in each column. Two overlap if they do so in all
columns. Finding what overlaps a new row takes no look at all the others: in the columns in
which both have a single host they must be equal, and of rows that differ in one range of
ports only, two neighbours are enough.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TypeAlias

from ftpfw.ruleset.model import PortRange
from ftpfw.ruleset.policy import Network

Value: TypeAlias = Network | PortRange
Row: TypeAlias = tuple[Value, ...]
_Kinds: TypeAlias = tuple[int, ...]

_HOST, _NETWORK, _PORTS = range(3)


class Rows:
    """Rows of one width in the order in which they came."""

    def __init__(self) -> None:
        self.all: list[Row] = []
        # By the columns' kinds, the hosts and the networks: rows sorted by their ports.
        self._sorted: dict[_Kinds, dict[Row, dict[Row, list[Row]]]] = {}

    def add(self, row: Row) -> bool:
        """Add a row; False where it overlaps another. One that is there already stays alone."""
        kinds = tuple(map(_kind, row))
        hosts = tuple(value for value, kind in zip(row, kinds, strict=True) if kind == _HOST)
        for other in self._near(row, kinds, hosts):
            if _overlap(row, other):
                return row == other
        networks = tuple(value for value, kind in zip(row, kinds, strict=True) if kind == _NETWORK)
        by_networks = self._sorted.setdefault(kinds, {}).setdefault(hosts, {})
        rows = by_networks.setdefault(networks, [])
        rows.insert(_place(rows, row, kinds), row)
        self.all.append(row)
        return True

    def _near(self, row: Row, kinds: _Kinds, hosts: Row) -> Iterator[Row]:
        """The rows that may overlap ``row``."""
        for others, by_hosts in self._sorted.items():
            if others == kinds:
                for rows in by_hosts.get(hosts, {}).values():
                    yield from _neighbours(rows, row, kinds)
            else:
                for by_networks in by_hosts.values():
                    for rows in by_networks.values():
                        yield from rows


def _kind(value: Value) -> int:
    if isinstance(value, PortRange):
        return _PORTS
    return _HOST if value.prefixlen == value.max_prefixlen else _NETWORK


def _place(rows: list[Row], row: Row, kinds: _Kinds) -> int:
    """Where a row belongs among those that are equal but for their ports."""
    if kinds.count(_PORTS) != 1:
        return len(rows)
    column = kinds.index(_PORTS)
    return bisect_right(rows, _first(row, column), key=lambda other: _first(other, column))


def _neighbours(rows: list[Row], row: Row, kinds: _Kinds) -> list[Row]:
    """Those that may have a port of ``row``; rows that differ in more than that, all."""
    if kinds.count(_PORTS) != 1:
        return rows
    column = kinds.index(_PORTS)
    ports = row[column]
    assert isinstance(ports, PortRange)
    start = bisect_right(rows, ports.first, key=lambda other: _first(other, column))
    stop = bisect_right(rows, ports.last, key=lambda other: _first(other, column))
    return rows[max(0, start - 1) : stop]


def _first(row: Row, column: int) -> int:
    ports = row[column]
    assert isinstance(ports, PortRange)
    return ports.first


def _overlap(one: Row, other: Row) -> bool:
    return all(_values_overlap(*pair) for pair in zip(one, other, strict=True))


def _values_overlap(one: Value, other: Value) -> bool:
    if isinstance(one, PortRange) and isinstance(other, PortRange):
        return one.first <= other.last and other.first <= one.last
    if isinstance(one, PortRange) or isinstance(other, PortRange):
        return False
    return one.version == other.version and one.overlaps(other)
