"""What the engine goes by, of all that a policy says; replaced as a whole when it is read again."""

from __future__ import annotations

from dataclasses import dataclass, field

from ftpfw.ftp.checks import COMPAT, Action, Checks
from ftpfw.ruleset.policy import OPAQUE_MARK, Policy


@dataclass(frozen=True, slots=True)
class PassiveRange:
    """A published server as clients see it: raw address, control port, passive ports."""

    public: bytes
    port: int
    ports: range


@dataclass(frozen=True, slots=True)
class Settings:
    """``mark`` is the connmark's bit of control connections that have turned to TLS.

    ``passive`` are the servers whose passive ports FTPS may use; ``transfers``: tell of every
    transfer, for the log. ``checking``: some check is on; ``strict``: one of them may stop a
    line; ``attentive``: every line is to be read, not only those that can open a port.
    """

    checks: Checks = field(default_factory=lambda: COMPAT)
    denied_verbs: frozenset[str] = frozenset()
    pending: int = 16
    expectations_per_client: int = 64
    mark: int = OPAQUE_MARK
    passive: tuple[PassiveRange, ...] = ()
    transfers: bool = False

    checking: bool = field(init=False)
    strict: bool = field(init=False)
    attentive: bool = field(init=False)

    def __post_init__(self) -> None:
        actions = set(self.checks.values())
        # Asked for every packet, so told once.
        object.__setattr__(self, "checking", bool(actions - {Action.OFF}))
        object.__setattr__(self, "strict", bool(actions & {Action.DROP, Action.RESET}))
        object.__setattr__(self, "attentive", self.checking or self.transfers)


def settings_of(policy: Policy) -> Settings:
    """The engine's part of a policy."""
    helper = policy.helper
    return Settings(
        checks=helper.checks,
        denied_verbs=frozenset(helper.denied_verbs),
        pending=helper.pending,
        expectations_per_client=helper.expectations_per_client,
        mark=helper.mark,
        passive=tuple(
            PassiveRange(address.packed, server.port, server.passive_ports)
            for server in policy.servers
            for address in policy.addresses(server)
            if server.passive_ports
        ),
        transfers=helper.transfer_log is not None or helper.xferlog is not None,
    )
