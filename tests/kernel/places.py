"""The gateway of a sample policy, loaded in one way after the other, and who lives around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ftpfw.conntrack import cthelper
from ftpfw.helper.backends import INSPECTED
from ftpfw.ruleset.apply import apply, remove
from ftpfw.ruleset.model import RuleSet
from ftpfw.ruleset.policy import Backend
from tests.unit.ruleset.samples import RULES, sample

from .conftest import made_namespaces
from .foreign import ForeignRules
from .loading import inspecting
from .neighbourhood import Neighbourhood
from .verdicts import read_verdicts


class Places:
    """The neighbourhood of the policy that is played now, and the inspector that it needs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._policy = ""
        self._backend: Backend | None = None
        self._inspector = ExitStack()
        self.place: Neighbourhood | None = None

    def of(self, policy: str, backend: Backend) -> Neighbourhood:
        if self.place is None or self._policy != policy:
            self.close()
            namespaces = self._stack.enter_context(made_namespaces())
            addresses = read_verdicts(policy).addresses
            self.place = Neighbourhood(namespaces, addresses, sample(policy).gateway.outside)
            self._policy = policy
        if self._backend != backend:
            self._inspector.close()
            self._backend = None
            if backend is Backend.CTHELPER:
                self._inspector.callback(cthelper.unregister)
            if backend in INSPECTED:
                directory = self._directory / f"{policy}-{backend}"
                inspector = inspecting(self.place.gate, sample_text(policy, backend), directory)
                self._inspector.enter_context(inspector)
            self._backend = backend
        return self.place

    def close(self) -> None:
        self._inspector.close()
        self._stack.close()
        self.place = self._backend = None


def sample_text(policy: str, backend: Backend) -> str:
    """A sample's text with its backend named."""
    text = (RULES / f"{policy}.toml").read_text()
    return text.replace('backend = "auto"', f'backend = "{backend}"')


@contextmanager
def applied(rulesets: Sequence[RuleSet], foreign: ForeignRules, *, alone: bool) -> Iterator[None]:
    """The rules, and nobody else's but those that shut a host that is ``alone``."""
    foreign.take_away()
    if alone and foreign.firewall != "nftables":
        foreign.shut()
    apply(rulesets, foreign.firewall)
    try:
        if alone and foreign.firewall == "nftables":
            foreign.shut()
        yield
    finally:
        remove(foreign.firewall)
