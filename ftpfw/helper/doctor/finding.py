"""One thing that was looked at, and the way to mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``mend`` is a command for a root shell wherever one can do it, else a sentence.

    ``alternative`` is another way to the same end, where the administrator has to choose.
    ``needed`` and not ``ok``: ``load`` cannot work.
    """

    subject: str
    ok: bool
    found: str
    mend: str = ""
    needed: bool = True
    alternative: str = ""


def note(subject: str, ok: bool, found: str, mend: str = "", alternative: str = "") -> Finding:
    """A finding that keeps nobody from loading."""
    return Finding(subject, ok, found, mend, needed=False, alternative=alternative)
