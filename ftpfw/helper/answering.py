"""From what lines come to what is done: expectations, rewrites, and what the transfer log hears.

Nothing is opened for a line that cannot be rewritten any more, and an expectation whose
rewrite the kernel refuses is withdrawn: what its line announces would not be true.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias

from ftpfw.ftp.checks import Action, Check
from ftpfw.ftp.lines import TooLong
from ftpfw.ftp.negotiation import Kind, Negotiation, Unusable, replacement
from ftpfw.ftp.session import MAX_PENDING, Answered, Asked
from ftpfw.ftp.verbs import ACTIVE
from ftpfw.helper.commands import (
    Command,
    DeleteExpectation,
    Note,
    NoteKind,
    Outcome,
    SetSeqAdj,
    Transfer,
)
from ftpfw.helper.expecting import Granted, expect
from ftpfw.helper.flow import Effect, Flow, Half, Opened
from ftpfw.helper.ledger import Ledger
from ftpfw.helper.outlet import Outlet, Rewrite
from ftpfw.helper.scene import Scene

Wanted: TypeAlias = list[tuple[Granted, Rewrite]]
"""Expectations whose lines are to leave with another endpoint."""


def answer_all(
    flow: Flow, half: Half, fresh: list[Effect], scene: Scene
) -> Generator[Command, Outcome, Wanted]:
    """Answer each effect in turn; what waits for an earlier rewrite's ack, later."""
    wanted: Wanted = []
    effects = half.deferred + fresh
    half.deferred = []
    last = max((i for i, e in enumerate(effects) if isinstance(e, Negotiation)), default=None)
    for index, effect in enumerate(effects):
        if not isinstance(effect, Negotiation):
            yield from _answer(flow, effect, scene)
            continue
        if half.must_wait():
            half.deferred = effects[index:]
            break
        if half.outlet is None and index != last:
            original = flow.conntrack.original
            yield Note(NoteKind.REFUSED, "superseded at once", original, about=effect.kind)
            continue
        granted = yield from _open(flow, half, effect, scene)
        if granted is not None and granted.endpoint is not None:
            at = effect.line.offset
            data = replacement(effect, granted.endpoint)
            wanted.append((granted, Rewrite(at + effect.start, at + effect.end, data)))
    return wanted


def plan(
    flow: Flow, half: Half, outlet: Outlet, wanted: Wanted, ledger: Ledger
) -> Generator[Command, Outcome, None]:
    """Take rewrites into effect, or withdraw their expectations where the kernel refuses."""
    original, direction = flow.conntrack.original, half.direction
    joint, seqadj = outlet.plan([rewrite for _, rewrite in wanted])
    if seqadj is not None:
        refusal = yield SetSeqAdj(original, direction, seqadj)
        if refusal is not None:
            yield Note(NoteKind.REFUSED, "no sequence adjustment", original, str(refusal))
            for granted, _ in wanted:
                ledger.remove(granted.expectation)
                yield DeleteExpectation(granted.expectation)
            flow.opened = flow.unused = None
            return
    outlet.remember(joint, seqadj)
    told = joint.data.decode("latin-1")
    yield Note(NoteKind.REWRITTEN, direction.name.lower(), original, told)


def withdraw(flow: Flow, ledger: Ledger) -> Generator[Command, Outcome, None]:
    """Close what the flow has opened last; if it is used up by now, the kernel has none such."""
    opened = flow.opened
    if opened is not None:
        flow.opened = flow.unused = None
        ledger.remove(opened.expectation)
        yield DeleteExpectation(opened.expectation)


def _open(
    flow: Flow, half: Half, negotiation: Negotiation, scene: Scene
) -> Generator[Command, Outcome, Granted | None]:
    """Have the kernel expect what a line announces."""
    line, kind = negotiation.line, negotiation.kind
    if half.has_left(line.offset + negotiation.start):
        original = flow.conntrack.original
        reason = "left before it could be rewritten"
        yield Note(NoteKind.REFUSED, reason, original, about=kind)
        return None
    granted = yield from expect(flow.conntrack, half.direction, negotiation, scene.random)
    if granted is not None:
        scene.ledger.add(granted.expectation, scene.now)
        flow.opened = flow.unused = Opened(granted.expectation, kind, line.offset)
    return granted


def _answer(
    flow: Flow, effect: TooLong | Unusable | Asked | Answered, scene: Scene
) -> Generator[Command, Outcome, None]:
    original = flow.conntrack.original
    match effect:
        case TooLong():
            yield Note(NoteKind.LINE_TOO_LONG, "", original)
        case Unusable(kind=kind, line=line, reason=reason):
            yield Note(NoteKind.UNUSABLE, reason, original, line.text.decode("latin-1"), kind)
        case Asked():
            flow.transfers[effect.number], flow.unused = flow.unused, None
            if len(flow.transfers) > MAX_PENDING:  # that the server never answers
                del flow.transfers[next(iter(flow.transfers))]
            if scene.settings.transfers:
                yield _tell(flow, effect, flow.transfers[effect.number])
        case Answered(asked=asked) if asked.number:
            opened = flow.transfers.pop(asked.number, None)
            if scene.settings.transfers:
                yield _tell(flow, asked, opened, effect)
        case Answered(asked=asked) if asked.verb in ACTIVE and effect.refused:
            yield from _port_refused(flow, effect, scene)


def _port_refused(
    flow: Flow, answered: Answered, scene: Scene
) -> Generator[Command, Outcome, None]:
    """The server does not take the client's PORT, so nobody has any business there."""
    action = scene.settings.checks[Check.PORT_REFUSED]
    opened = flow.opened
    if action is Action.OFF or opened is None:
        return
    if opened.kind in (Kind.PORT, Kind.EPRT) and opened.offset == answered.asked.offset:
        yield Note(
            NoteKind.CHECK,
            Check.PORT_REFUSED.value,
            flow.conntrack.original,
            str(answered.code),
            opened.kind,
            action,
        )
        yield from withdraw(flow, scene.ledger)


def _tell(
    flow: Flow, asked: Asked, opened: Opened | None, answered: Answered | None = None
) -> Transfer:
    return Transfer(
        control=flow.conntrack.original,
        number=asked.number,
        data=None if opened is None else opened.expectation.tuple,
        kind=None if opened is None else opened.kind,
        user=flow.user,
        verb=asked.verb,
        path=asked.argument,
        size=None if answered is None else answered.size,
        reply=None if answered is None else answered.code,
    )
