"""Rows of a test table: an id that says what the case is, then the test's arguments."""

from collections.abc import Sequence
from typing import Any, TypedDict


class Rows(TypedDict):
    argvalues: list[Any]
    ids: list[str]


def table(rows: Sequence[tuple[Any, ...]]) -> Rows:
    """What ``parametrize`` takes of rows whose first column is the id."""
    values = [row[1:] if len(row) > 2 else row[1] for row in rows]
    return Rows(argvalues=values, ids=[row[0] for row in rows])
