"""What a decision goes by, beside the flow: the packet that has come, and what all flows share."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from ftpfw.helper.ledger import Ledger
from ftpfw.helper.settings import Settings
from ftpfw.tcp.segment import Segment


class Arrival(NamedTuple):
    """A packet, what it says, and when it came, in seconds of any steady clock."""

    packet: bytes
    segment: Segment
    now: float


class Scene(NamedTuple):
    """What lines are judged and answered by, as it is at ``now``."""

    settings: Settings
    ledger: Ledger
    random: Random
    now: float
