"""What an object keeps alive: to hold a bound against peers that would have it keep more."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

_SHARED = (type, ModuleType, FunctionType)
"""What does not belong to one object."""


class Kept(NamedTuple):
    """``text``: bytes and characters; ``things``: objects, of whatever size."""

    text: int
    things: int


def kept_by(root: Any) -> Kept:
    """Everything that ``root`` refers to, itself included."""
    seen: set[int] = set()
    left = [root]
    text = 0
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, _SHARED):
            continue
        seen.add(id(one))
        if isinstance(one, bytes | bytearray | str):
            text += len(one)
        left += gc.get_referents(one)
    return Kept(text, len(seen))
