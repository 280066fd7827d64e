"""The contexts that count: the main server with ``<Global>``, and its last ``<Anonymous>``.

A directive of a context goes before one of the context around it, the server's before those of
``<Global>``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ftpfw.server.proftpd.grammar import Context, Directive
from ftpfw.server.proftpd.limits import Outcome, judge


@dataclass(frozen=True, slots=True)
class Site:
    """A file's main server, with what is set for all, and its anonymous sessions."""

    server: tuple[Context, ...]
    anonymous: Context | None

    @classmethod
    def of(cls, tree: Context) -> Site:
        """The one that a tree describes."""
        server = (tree, *reversed(tree.inner("Global")))
        # Of several for one user the last counts (measured on 1.3.8).
        found = [one for context in server for one in reversed(context.inner("Anonymous"))]
        return cls(server, found[0] if found else None)

    @property
    def users(self) -> tuple[Context, ...]:
        """The contexts of a user's session, the innermost first."""
        return (*_whole(self.server, "/"), *self.server)

    @property
    def guests(self) -> tuple[Context, ...]:
        """The contexts of an anonymous session; directories of the server do not hold there."""
        if self.anonymous is None:
            return self.users
        root = self.anonymous.arguments[0]
        return (*_whole((self.anonymous,), root), self.anonymous, *self.server)


def _whole(contexts: Sequence[Context], root: str) -> Iterator[Context]:
    """Directories that are all there is to see: ``<Directory /*>`` and its like."""
    for context in contexts:
        for one in context.inner("Directory"):
            path = one.arguments[0].removesuffix("*").rstrip("/")
            if path in {"", root.rstrip("/")}:
                yield one


def find(name: str, contexts: Sequence[Context]) -> Directive | None:
    """The directive that counts, from the innermost context on; it has been heard then."""
    for context in contexts:
        if line := context.first(name):
            context.heard.add(name)
            return line
    return None


def upload_directories(site: Site) -> list[Context]:
    """Directories of anonymous sessions to which files can be stored, if to no others."""
    if site.anonymous is None or judge("STOR", site.guests) is not Outcome.NONE:
        return []
    below = site.anonymous.inner("Directory")
    return [
        one
        for one in below
        if judge("STOR", (one, *site.guests)) is not Outcome.NONE
        and one.inner("Limit")
        and one not in site.guests
    ]
