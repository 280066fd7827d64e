"""Carries out what the engine asks for, in its order, against the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ftpfw.conntrack.model import Conntrack, Direction, Expectation, SeqAdj, Tuple
from ftpfw.errors import KernelError
from ftpfw.helper.commands import (
    AddExpectation,
    Command,
    DeleteExpectation,
    FindExpectation,
    GetConntrack,
    Note,
    Outcome,
    SetSeqAdj,
    Verdict,
    Walk,
)


class Kernel(Protocol):
    """The part of ctnetlink that a walk needs; every method may raise KernelError."""

    def get(self, tuple_: Tuple, /) -> Conntrack | None:
        """Read the entry that owns a tuple."""

    def add_expectation(self, expectation: Expectation, /) -> None:
        """Expect a connection, exclusively."""

    def list_expectations(self, family: int, /) -> list[Expectation]:
        """The expectations of a family."""

    def delete_expectation(self, expectation: Expectation, /) -> None:
        """Withdraw an expectation."""

    def set_seqadj(self, original: Tuple, direction: Direction, seqadj: SeqAdj, /) -> None:
        """Adjust one direction's sequence numbers."""


def drive(walk: Walk, kernel: Kernel, note: Callable[[Note], None]) -> Verdict:
    """Run a walk to its verdict; ``note`` hears of everything that it counts."""
    try:
        command = next(walk)
        while True:
            command = walk.send(_carry_out(command, kernel, note))
    except StopIteration as stop:
        verdict: Verdict = stop.value
        return verdict


def _carry_out(command: Command, kernel: Kernel, note: Callable[[Note], None]) -> Outcome:
    try:
        match command:
            case Note():
                note(command)
            case GetConntrack(tuple=tuple_):
                return kernel.get(tuple_)
            case AddExpectation(expectation=expectation):
                kernel.add_expectation(expectation)
            case FindExpectation(expectation=expectation):
                live = kernel.list_expectations(expectation.tuple.family)
                return next((one for one in live if one.tuple == expectation.tuple), None)
            case DeleteExpectation(expectation=expectation):
                kernel.delete_expectation(expectation)
            case SetSeqAdj(original=original, direction=direction, seqadj=seqadj):
                kernel.set_seqadj(original, direction, seqadj)
    except KernelError as error:
        return error
    return None
