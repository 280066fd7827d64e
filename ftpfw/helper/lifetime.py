"""How long a silent control connection's conntrack is to live (pure).

A control connection says nothing while a transfer lasts. Where its conntrack times out
meanwhile (nf_conntrack_tcp_timeout_established, five days unless an administrator has set
less) the 226 that ends the transfer belongs to no connection any more. So as long as a
data connection lives, its control connection's entry gets its full time again each time
half of it is over. Any packet of its own does the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftpfw.conntrack.model import Conntrack, TcpState

SHORTEST_PAUSE = 0.5
"""Seconds between two looks, however little is left."""

_OVER = frozenset({TcpState.TIME_WAIT, TcpState.CLOSE})


@dataclass(frozen=True, slots=True)
class Look:
    """What to do about an entry: seconds of its ``full`` time, and until it is due again."""

    full: int
    refresh: bool
    pause: float


def look(left: int, full: int = 0) -> Look:
    """Decide by what an entry has ``left`` to live, and the ``full`` time known before.

    Its full time is the most that was ever seen left: which of the kernel's timeouts
    applies, and what a rule's timeout policy makes of it, only the kernel knows.
    """
    full = max(full, left + 1)  # the kernel tells whole seconds, rounded down
    refresh = 2 * left <= full
    return Look(full, refresh, max(SHORTEST_PAUSE, (full if refresh else left) / 2))


def may_carry(data: Conntrack) -> bool:
    """Whether a data connection can still carry something."""
    return data.tcp_state not in _OVER


def goes_on(control: Conntrack) -> bool:
    """Whether more can be said on a control connection; one that ends needs no more time."""
    return control.tcp_state is TcpState.ESTABLISHED
