"""What the inspector has seen and done, as numbers (pure)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ftpfw.helper.commands import HELD_BACK, UNCHANGED, Note, Verdict


@dataclass(slots=True)
class Tally:
    """Counters since the helper started.

    ``errors`` are faults of our own, which fail open; ``overruns`` are times when the
    kernel had more packets than the queue's socket could take.
    """

    packets: int = 0
    rebuilt: int = 0
    held: int = 0
    errors: int = 0
    overruns: int = 0
    notes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, verdict: Verdict) -> None:
        """Count a packet by its verdict."""
        self.packets += 1
        if verdict is HELD_BACK:
            self.held += 1
        elif verdict is not UNCHANGED:
            self.rebuilt += 1

    def note(self, note: Note) -> None:
        """Count a note by kind and reason."""
        self.notes[note.kind.value, note.reason] += 1

    def as_json(self) -> dict[str, Any]:
        """The counters as reports show them; notes are {kind: {reason: count}}."""
        notes: dict[str, dict[str, int]] = {}
        for (kind, reason), count in sorted(self.notes.items()):
            notes.setdefault(kind, {})[reason] = count
        return {
            "packets": self.packets,
            "rebuilt": self.rebuilt,
            "held": self.held,
            "errors": self.errors,
            "overruns": self.overruns,
            "notes": notes,
        }
