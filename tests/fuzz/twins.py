"""An engine under attack, in two copies: one glances at packets first, the other reads all
that carry data (an ack without any is taken at a glance only).

The laws that hold for every packet:

- the engine never fails, and both copies say and do the same;
- a packet that leaves changed is sound, between the same two ends, and fits where a packet of
  its length or of IPv6's least MTU fits;
- without translation, and with no check that drops or resets, nothing is changed; nor is
  anything held, unless checks that only log want to read first what is missing ahead of it;
- what is kept of the peers' text is bounded.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from ftpfw.conntrack.model import Conntrack, Direction, Tuple
from ftpfw.ftp.checks import COMPAT, STRICT, Action
from ftpfw.helper.commands import HELD_BACK, UNCHANGED, Accept, Drop, Note, Transfer, Verdict
from ftpfw.helper.driver import drive
from ftpfw.helper.engine import Engine
from ftpfw.helper.settings import Settings
from ftpfw.tcp.segment import Segment, SegmentError, parse_segment
from tests.fuzz.gateway import HELPER, FuzzKernel, passive_ranges
from tests.fuzz.memory import kept_by
from tests.fuzz.packets import require_sound

LEAST_MTU = 1280

TEXT_KEPT = 200_000
THINGS_KEPT = 40_000

LOGGED = dict.fromkeys(STRICT, Action.LOG)
RESET = dict.fromkeys(STRICT, Action.RESET)
SETTINGS = (
    Settings(),
    Settings(checks=COMPAT, transfers=True),
    Settings(checks=LOGGED, transfers=True, pending=2, expectations_per_client=2),
    Settings(checks=STRICT, denied_verbs=frozenset({"SITE"}), pending=2),
    Settings(checks=RESET, transfers=True, expectations_per_client=2),
)


class Copy:
    """One engine with its kernel."""

    def __init__(self, conntrack: Conntrack, settings: Settings, *, after_nat: bool) -> None:
        self.kernel = FuzzKernel(conntrack, settings)
        self.engine = Engine(HELPER, after_nat=after_nat, random=Random(7), settings=settings)
        self.notes: list[Note] = []
        self.transfers: list[Transfer] = []

    def read(self, packet: bytes, *, after_nat: bool, now: float) -> Verdict:
        walk = self.engine.inspect(packet, after_nat=after_nat, now=now)
        return drive(walk, self.kernel, self.notes.append, self.transfers.append)


class Twins:
    """Both engines, and what the packets have to be held against."""

    def __init__(self, conntrack: Conntrack, settings: Settings, *, after_nat: bool) -> None:
        self.after_nat = after_nat
        self.now = 0.0
        settings = replace(settings, passive=passive_ranges(conntrack))
        self.quick, self.thorough = (
            Copy(conntrack, settings, after_nat=after_nat) for _ in range(2)
        )
        self._stern = settings.strict
        self._home = conntrack
        self._translated = conntrack.reply != conntrack.original.inverted()

    @property
    def notes(self) -> list[Note]:
        return self.quick.notes

    @property
    def kernel(self) -> FuzzKernel:
        return self.quick.kernel

    def set(self, settings: Settings) -> None:
        """As a policy that is read again does."""
        for copy in (self.quick, self.thorough):
            copy.engine.settings = replace(settings, passive=passive_ranges(self._home))
        self._stern = self._stern or settings.strict

    def inspect(self, packet: bytes, *, wrong_hook: bool = False) -> Verdict:
        """Put a packet through; every law of single packets is held."""
        after_nat = self.after_nat is not wrong_hook
        verdict: Verdict = UNCHANGED
        if not self.quick.engine.glance(packet, after_nat=after_nat):
            verdict = self.quick.read(packet, after_nat=after_nat, now=self.now)
        same: Verdict = UNCHANGED
        if _carries_data(packet) or not self.thorough.engine.glance(packet, after_nat=after_nat):
            same = self.thorough.read(packet, after_nat=after_nat, now=self.now)
        assert verdict == same, "a glance changes the verdict"
        assert self.quick.notes == self.thorough.notes, "a glance hides something"
        assert self.quick.transfers == self.thorough.transfers, "a glance hides a transfer"
        assert self.quick.kernel == self.thorough.kernel
        self._require_lawful(packet, verdict)
        return verdict

    def require_bounded(self) -> None:
        assert len(self.quick.engine.flows) <= 1, "there is one control connection"
        kept = kept_by(self.quick.engine)
        assert kept.text < TEXT_KEPT, kept
        assert kept.things < THINGS_KEPT, kept

    def _require_lawful(self, packet: bytes, verdict: Verdict) -> None:
        if verdict == UNCHANGED:
            return
        came = _parsed(packet)
        if came is None:
            assert verdict == HELD_BACK, "a packet that is no segment was changed"
            assert self._stern, "a packet that is no segment was not let pass"
            return
        match verdict:
            case Accept(packet=bytes(changed)):
                assert self._translated or self._stern, "changed, and nothing asked for it"
                require_sound(changed)
                left = parse_segment(changed)
                assert left[:4] == came[:4]
                assert len(changed) <= max(len(packet), LEAST_MTU), "grown past the MTU"
            case Drop():
                assert self._translated or self._stern, "held, and nothing asked for it"


def hooked(conntrack: Conntrack, direction: Direction, *, after_nat: bool) -> Tuple:
    """The tuple that packets of ``direction`` have at the inspector's hook."""
    return conntrack.tuple(direction.other).inverted() if after_nat else conntrack.tuple(direction)


def _carries_data(packet: bytes) -> bool:
    segment = _parsed(packet)
    return segment is not None and bool(segment.payload)


def _parsed(packet: bytes) -> Segment | None:
    try:
        return parse_segment(packet)
    except SegmentError:
        return None
