"""From what is said to what comes of it: strict checks first, then the session takes it in.

A line that a check drops or resets is not taken in: it never reaches its receiver, and
neither does what follows it in the stream. A line of which a check only takes a log note
goes on as if there were no checks.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from ftpfw.conntrack.model import Direction
from ftpfw.ftp.checks import Action, Check
from ftpfw.ftp.lines import TooLong
from ftpfw.ftp.negotiation import Negotiation
from ftpfw.ftp.scrutiny import faults_of_command, faults_of_reply
from ftpfw.ftp.session import Login, Session, text_of
from ftpfw.ftp.verbs import asks_for_tls
from ftpfw.helper.commands import Command, ListExpectations, Note, NoteKind, Outcome
from ftpfw.helper.conversation import Heard, Said
from ftpfw.helper.expecting import UNPRIVILEGED, is_foreign
from ftpfw.helper.flow import Effect, Flow, Half, Phase
from ftpfw.helper.scene import Scene
from ftpfw.helper.settings import Settings

_MILDEST_FIRST = tuple(Action)


@dataclass(frozen=True, slots=True)
class Stopped:
    """A line that must not leave, at ``offset`` of its stream: DROP or RESET."""

    action: Action
    offset: int


def hear(
    flow: Flow, half: Half, heard: list[Heard], scene: Scene
) -> Generator[Command, Outcome, tuple[list[Effect], Stopped | None]]:
    """Take in what one side has said, up to a line that must not leave."""
    effects: list[Effect] = []
    if scene.settings.attentive and flow.session is None:
        flow.session = Session(flow.user)
    stopped = None
    for one in heard:
        if scene.settings.checking:
            stopped = yield from _judge(flow, half, one, scene)
            if stopped is not None:
                break
        effects += _take_in(flow, one)
    if flow.session is not None:
        _report(flow, flow.session, attentive=scene.settings.attentive)
    return effects, stopped


def _judge(
    flow: Flow, half: Half, one: Heard, scene: Scene
) -> Generator[Command, Outcome, Stopped | None]:
    """Note every check that a line fails; the severest action decides."""
    severest = Action.OFF
    faults = list(_faults(flow, half, one, scene.settings))
    if (yield from _asks_too_much(flow, one, scene)):
        faults.append(Check.TOO_MANY_EXPECTATIONS)
    for check in faults:
        action = scene.settings.checks[check]
        if action is not Action.OFF:
            severest = max(severest, action, key=_MILDEST_FIRST.index)
            yield _note(check, action, flow, one)
    if severest in (Action.DROP, Action.RESET):
        return Stopped(severest, one.offset if isinstance(one, TooLong) else one.line.offset)
    return None


def _asks_too_much(flow: Flow, one: Heard, scene: Scene) -> Generator[Command, Outcome, bool]:
    """Whether a line asks for one expectation more than its client may have.

    The kernel is asked only where our own count, which does not see them used, says so.
    """
    if not isinstance(one, Said) or not isinstance(one.meaning, Negotiation):
        return False
    if scene.settings.checks[Check.TOO_MANY_EXPECTATIONS] is Action.OFF:
        return False
    client, limit = flow.conntrack.original.src, scene.settings.expectations_per_client
    if scene.ledger.count(client, scene.now) < limit:
        return False
    live = yield ListExpectations(flow.conntrack.original.family)
    if isinstance(live, tuple):
        scene.ledger.keep(client, live)
    return scene.ledger.count(client, scene.now) >= limit


def _report(flow: Flow, session: Session, *, attentive: bool) -> None:
    """Keep what reports show; a session that was there for AUTH alone has done its work."""
    if not attentive:
        if not session.awaits("AUTH"):
            flow.session = None
        return
    flow.user = session.user
    if session.transferring:
        flow.phase = Phase.TRANSFER
    else:
        flow.phase = Phase.LOGGED_IN if session.login is Login.IN else Phase.CLEAR


def _take_in(flow: Flow, one: Heard) -> Iterator[Effect]:
    """What a line comes to, in the order in which it is to be done."""
    if isinstance(one, TooLong):
        if flow.session is not None:
            flow.session.lose()
        yield one
        return
    if one.meaning is not None:
        yield one.meaning
    if one.command is not None:
        if one.command.verb == "USER":
            flow.user = text_of(one.command.argument)
        if flow.session is None and asks_for_tls(one.command):
            flow.session = Session(flow.user)
    session = flow.session
    if session is None:
        return
    if one.command is not None and one.line.text:
        asked = session.ask(one.command, one.line.offset)
        if asked.number:
            yield asked
    elif one.ended is not None:
        answered = session.answer(one.ended, one.line.text)
        if answered is not None:
            yield answered


def _faults(flow: Flow, half: Half, one: Heard, settings: Settings) -> Iterator[Check]:
    """The checks that a line fails, as far as they can be told without the kernel."""
    client = half.direction is Direction.ORIGINAL
    if isinstance(one, TooLong):
        yield Check.LINE_TOO_LONG if client else Check.REPLY_TOO_LONG
        return
    session = flow.session
    assert session is not None, "settings with checks are attentive"
    if one.command is not None:
        yield from faults_of_command(
            one.line,
            one.command,
            one.meaning,
            session,
            denied=settings.denied_verbs,
            pending=settings.pending,
        )
    else:
        yield from faults_of_reply(one.line, one.meaning, session, continues=one.continues)
    if isinstance(one.meaning, Negotiation):
        if is_foreign(flow.conntrack, half.direction, one.meaning.endpoint):
            yield Check.FOREIGN_ADDRESS
        if one.meaning.endpoint.port not in UNPRIVILEGED:
            yield Check.PRIVILEGED_PORT


def _note(check: Check, action: Action, flow: Flow, one: Heard) -> Note:
    """Say what was found; of lines that negotiate nothing no more than the verb or the code."""
    detail, about = "", None
    if isinstance(one, Said):
        if one.meaning is not None:
            about = one.meaning.kind
            detail = one.line.text.decode("latin-1")
        elif one.command is not None:
            detail = one.command.verb
        elif one.ended is not None:
            detail = str(one.ended)
    return Note(NoteKind.CHECK, check.value, flow.conntrack.original, detail, about, action)
