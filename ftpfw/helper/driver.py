"""Carries out what the engine asks for, in its order, against the kernel."""

from __future__ import annotations

from collections.abc import Callable
from socket import AF_INET, AF_INET6
from typing import Protocol

from ftpfw.conntrack.model import (
    NO_STATUS,
    Conntrack,
    Direction,
    Expectation,
    SeqAdj,
    Status,
    Tuple,
)
from ftpfw.errors import KernelError, errno_name
from ftpfw.helper.commands import (
    AddExpectation,
    Command,
    DeleteExpectation,
    FindExpectation,
    FindMarked,
    GetConntrack,
    ListExpectations,
    Note,
    NoteKind,
    Outcome,
    SetMark,
    SetSeqAdj,
    Transfer,
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

    def set_mark(self, original: Tuple, mark: int, mask: int, /) -> None:
        """Set bits of a connection's connmark."""

    def list_conntracks(
        self, family: int, /, *, mark: int = 0, mask: int = 0, status: Status = NO_STATUS
    ) -> list[Conntrack]:
        """The connections of a family whose connmark under ``mask`` is ``mark``."""


def _unheard(_transfer: Transfer) -> None:
    """Nobody keeps a transfer log."""


def drive(
    walk: Walk,
    kernel: Kernel,
    note: Callable[[Note], None],
    transfer: Callable[[Transfer], None] = _unheard,
) -> Verdict:
    """Run a walk to its verdict.

    ``note`` hears of everything that it counts, ``transfer`` of each transfer that it tells of.
    """
    try:
        command = next(walk)
        while True:
            if isinstance(command, Transfer):
                transfer(command)
                command = walk.send(None)
            else:
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
            case SetMark(original=original, mark=mark, mask=mask):
                kernel.set_mark(original, mark, mask)
            case FindMarked():
                return _find_marked(command, kernel)
            case ListExpectations(family=family):
                return tuple(kernel.list_expectations(family))
    except KernelError as error:
        note(Note(NoteKind.KERNEL_ERROR, errno_name(error.errno), detail=str(error)))
        return error
    return None


def _find_marked(command: FindMarked, kernel: Kernel) -> Conntrack | None:
    """A control connection has a helper; its data connections, which inherit the mark, none."""
    family = AF_INET if len(command.client) == 4 else AF_INET6
    wanted = (command.client, command.server, command.port)
    for one in kernel.list_conntracks(family, mark=command.mask, mask=command.mask):
        if one.helper and (one.original.src, one.original.dst, one.original.dport) == wanted:
            return one
    return None
