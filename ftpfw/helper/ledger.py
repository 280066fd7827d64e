"""Which client holds how many expectations, without asking the kernel each time.

The kernel tells nobody when an expectation is used up, so what is counted here may be too
many until the kernel's own list is compared (`Ledger.keep`); it is never too few, but for those
that another worker or an earlier helper has made.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TypeAlias

from ftpfw.conntrack.model import Expectation, Tuple

CLIENTS = 8192
"""Clients remembered at a time; one past that forgets the one that was idle longest."""

Entry: TypeAlias = tuple[Tuple, Tuple]
"""An expectation's master and its own tuple."""


class Ledger:
    """Expectations by the address of the client whose control connection they belong to."""

    def __init__(self) -> None:
        self._held: OrderedDict[bytes, dict[Entry, float]] = OrderedDict()

    def add(self, expectation: Expectation, now: float) -> None:
        """An expectation is in the kernel, from ``now`` (steady clock) on."""
        client = expectation.master.src
        held = self._held.setdefault(client, {})
        self._held.move_to_end(client)
        entry = (expectation.master, expectation.tuple)
        held.pop(entry, None)  # so that they stand in the order in which they end
        held[entry] = now + expectation.timeout
        _forget_ended(held, now)
        if len(self._held) > CLIENTS:
            self._held.popitem(last=False)

    def remove(self, expectation: Expectation) -> None:
        """It was withdrawn."""
        self._held.get(expectation.master.src, {}).pop(
            (expectation.master, expectation.tuple), None
        )

    def count(self, client: bytes, now: float) -> int:
        """How many a client holds that have not run out."""
        held = self._held.get(client, {})
        _forget_ended(held, now)
        return len(held)

    def keep(self, client: bytes, live: Iterable[Expectation]) -> None:
        """Forget those of a client that the kernel no longer has."""
        held = self._held.get(client, {})
        known = {(one.master, one.tuple) for one in live}
        for entry in [entry for entry in held if entry not in known]:
            del held[entry]

    def use(self, data: Tuple, now: float) -> bool:
        """Whether a client is expected where it connects to with ``data``, which uses that up."""
        held = self._held.get(data.src, {})
        wanted = (data.src, data.dst, data.dport)
        for entry, ends in held.items():
            if ends > now and (entry[1].src, entry[1].dst, entry[1].dport) == wanted:
                del held[entry]
                return True
        return False


def _forget_ended(held: dict[Entry, float], now: float) -> None:
    """Forget what has run out, which is at the front: all have the same time to live."""
    while held and held[first := next(iter(held))] <= now:
        del held[first]
