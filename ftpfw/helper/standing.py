"""Which policy a running helper goes by, and which other one it can take without a restart.

What was bound or opened when the helper started stays until it ends: backend, queue, zone
and mark, on which rules and sessions depend as well, log files and the metrics' address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftpfw.errors import PolicyError
from ftpfw.ruleset.policy import Backend, Policy, require_cthelper_can
from ftpfw.ruleset.toml_lines import KeyPath

FIXED: tuple[tuple[str, str], ...] = (
    ("gateway", "zone"),
    ("helper", "queue"),
    ("helper", "mark"),
    ("helper", "transfer_log"),
    ("helper", "xferlog"),
    ("helper", "metrics"),
)
"""Keys that cannot change while the helper runs."""

MEANT_BY = {Backend.BORROWED: (Backend.AUTO,), Backend.CTHELPER: (Backend.AUTO,)}
"""Backend → what else in a policy stands for it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy in force, since ``since`` (time.time()); ``refused``: why a newer one is not."""

    policy: Policy
    since: float
    refused: str | None = None

    def as_json(self) -> dict[str, Any]:
        """What reports tell of it."""
        source = self.policy.source
        return {
            "file": source.file,
            "text": source.text,
            "since": self.since,
            "refused": self.refused,
        }


def control_ports(policy: Policy) -> set[int]:
    """The ports of every server whose control connections get the helper."""
    return {*policy.helper.ports, *(server.port for server in policy.servers)}


def require_takeable(fresh: Policy, running: Policy, backend: Backend) -> None:
    """Raise PolicyError, with its line, for what a helper that runs cannot change."""
    for section, key in FIXED:
        before, after = (getattr(getattr(one, section), key) for one in (running, fresh))
        if before != after:
            raise _fixed(fresh, (section, key))
    if fresh.helper.backend not in (backend, *MEANT_BY.get(backend, ())):
        raise _fixed(fresh, ("helper", "backend"))
    if backend is Backend.CTHELPER:
        require_cthelper_can(fresh.helper, fresh.source)


def _fixed(fresh: Policy, path: KeyPath) -> PolicyError:
    return fresh.source.error(
        path,
        "cannot change while the helper runs",
        mend="ftpfw unload first, then ftpfw load; or restart the helper's service",
    )
