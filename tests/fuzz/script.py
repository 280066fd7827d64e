"""Fuzz input as a list of choices: what a target asks for is read off its front.

An input that ends early reads as zeros, so every input is a whole script, and a
mutation of its tail leaves what was chosen before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Script:
    """Reads choices off ``data``."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def goes_on(self) -> bool:
        """Whether bytes are left."""
        return self._at < len(self._data)

    def take(self, length: int) -> bytes:
        """The next bytes, as many as there are."""
        taken = self._data[self._at : self._at + length]
        self._at += len(taken)
        return taken

    def rest(self) -> bytes:
        return self.take(len(self._data))

    def number(self, size: int = 1) -> int:
        """An unsigned number of ``size`` bytes."""
        return int.from_bytes(self.take(size).ljust(size, b"\0"), "big")

    def signed(self, size: int = 1) -> int:
        half = 1 << (8 * size - 1)
        return (self.number(size) ^ half) - half

    def text(self) -> bytes:
        """A length in one byte, then so many bytes."""
        return self.take(self.number())

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.number() % len(choices)]
