"""The matrix: every server, client, mode, direction, helper, firewall, IP version and situation.

What a cell is expected to show follows from how FTP, NAT and each client work, and from nothing
that was seen: `expectation` has the reasons. RFC 959, RFC 2428, RFC 1579.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import combinations, product

from ftpfw.lab.clients.commands import Mode, What, cannot
from ftpfw.lab.results import Cell, Verdict


class Helper(StrEnum):
    """What reads control connections on the gateway."""

    NONE = "none"
    KERNEL = "kernel"
    FTPFW = "ftpfw"

    @property
    def backend(self) -> str:
        """The policy's ``backend``."""
        return "auto" if self is Helper.FTPFW else self.value


class Situation(StrEnum):
    """Which end is behind the gateway's NAT."""

    CLIENT_NAT = "client-nat"
    PUBLISHED = "published"


SERVERS = ("vsftpd", "pure-ftpd", "proftpd", "ftpfw")
CLIENTS = ("curl", "lftp", "ncftp", "tnftp", "wget", "ftplib", "raw")
FIREWALLS = {"iptables-legacy": "legacy", "iptables-nft": "nft-compat", "nftables": "nftables"}
"""By the matrix's name, what ``rules apply --backend`` calls it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One cell, before it is tried."""

    server: str
    client: str
    mode: str
    direction: str
    helper: str
    firewall: str
    family: str
    situation: str

    @property
    def ground(self) -> Ground:
        """Where it is tried."""
        return Ground(self.helper, self.firewall, self.family, self.situation)

    def __str__(self) -> str:
        return " ".join(getattr(self, key) for key in KEYS)


@dataclass(frozen=True, slots=True, order=True)
class Ground:
    """A topology with its gateway, which many cells share."""

    helper: str
    firewall: str
    family: str
    situation: str

    def __str__(self) -> str:
        return f"{self.helper}-{self.firewall}-{self.family}-{self.situation}"


VALUES: Mapping[str, tuple[str, ...]] = {
    "server": SERVERS,
    "client": CLIENTS,
    "mode": tuple(Mode),
    "direction": ("down", "up", "list"),
    "helper": tuple(Helper),
    "firewall": tuple(FIREWALLS),
    "family": ("IPv4", "IPv6"),
    "situation": tuple(Situation),
}
KEYS = tuple(field.name for field in fields(Trial))
ALIASES = {"mode": {"active": ("PORT", "EPRT"), "passive": ("PASV", "EPSV")}}
"""Words of a filter that stand for several values."""


def trials() -> list[Trial]:
    """All of them."""
    return [Trial(*values) for values in product(*VALUES.values())]


def parse_filter(text: str) -> dict[str, tuple[str, ...]]:
    """``helper=ftpfw,mode=PORT|EPRT`` as values by key; ValueError names what there is."""
    wanted: dict[str, tuple[str, ...]] = {}
    for part in filter(None, text.split(",")):
        key, equals, values = part.partition("=")
        if key not in VALUES or not equals:
            raise ValueError(f"{part!r} is no KEY=VALUE: keys are {', '.join(VALUES)}")
        chosen: list[str] = []
        for value in values.split("|"):
            known = {**{one: (one,) for one in VALUES[key]}, **ALIASES.get(key, {})}
            if value not in known:
                raise ValueError(f"{key} has no {value!r}: it has {', '.join(known)}")
            chosen += known[value]
        if key in wanted:
            raise ValueError(f"{key} is named twice: write {key}=A|B")
        wanted[key] = tuple(dict.fromkeys(chosen))
    return wanted


def matches(trial: Trial, wanted: Mapping[str, Sequence[str]]) -> bool:
    """Whether a filter takes a trial."""
    return all(getattr(trial, key) in values for key, values in wanted.items())


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a trial should show, and why."""

    verdict: Verdict
    why: str


GIVES_UP_ON_MISMATCH = {"tnftp"}
"""Clients that end where 227 names another address than the server's."""
BELIEVES_227 = {"raw", "wget"}
"""Clients that connect to where 227 says; the others take the server's own address instead."""


def expectation(trial: Trial) -> Expectation:
    """What a trial should show."""
    mode = Mode(trial.mode)
    version = 6 if trial.family == "IPv6" else 4
    reason = cannot(trial.client, mode, version, What(trial.direction))
    if reason:
        return Expectation(Verdict.NOT_APPLICABLE, reason)
    if trial.helper != Helper.NONE:
        return Expectation(Verdict.PASS, "the helper expects the data connection and translates it")
    if mode.active:
        return Expectation(Verdict.FAIL, "nobody expects the connection that the server opens")
    if trial.situation == Situation.PUBLISHED and mode is Mode.PASV:
        if trial.client in GIVES_UP_ON_MISMATCH:
            return Expectation(Verdict.FAIL, "227 names the private address, which it holds wrong")
        if trial.client in BELIEVES_227:
            return Expectation(
                Verdict.FAIL, "227 names the private address, and nobody rewrites it"
            )
    return Expectation(Verdict.PASS, "the ports for passive connections are open to all")


def chosen(wanted: Mapping[str, Sequence[str]], *, whole: bool, seed: int) -> list[Trial]:
    """The trials of a run: all that a filter takes, or enough of them for every pair of values.

    Without a filter, and without ``whole``, each pair of values of two keys that can be had
    together is in at least one trial; which ones, is by ``seed``.
    """
    taken = [trial for trial in trials() if matches(trial, wanted)]
    if whole or wanted:
        return taken
    able = [one for one in taken if expectation(one).verdict is not Verdict.NOT_APPLICABLE]
    return cover(able, seed)


def pairs(trial: Trial) -> set[tuple[str, str, str, str]]:
    """Every two keys of a trial with their values."""
    return {
        (one, getattr(trial, one), other, getattr(trial, other))
        for one, other in combinations(KEYS, 2)
    }


def cover(able: Sequence[Trial], seed: int) -> list[Trial]:
    """Few trials that have every pair which any of ``able`` has: greedy, of random candidates."""
    source = random.Random(seed)  # noqa: S311 -- a choice, not a secret
    having: dict[Trial, set[tuple[str, str, str, str]]] = {one: pairs(one) for one in able}
    missing = set().union(*having.values()) if having else set()
    found: list[Trial] = []
    while missing:
        pair = min(missing)
        candidates = [one for one in able if pair in having[one]]
        sample = source.sample(candidates, min(CANDIDATES, len(candidates)))
        best = max(sample, key=lambda one: len(having[one] & missing))
        found.append(best)
        missing -= having[best]
    return found


CANDIDATES = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """A trial, tried. ``why`` is the expectation's reason, ``captures`` are paths."""

    trial: Trial
    cell: Cell
    why: str
    captures: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The cell as it stands in ``--json``."""
        return {
            **{key: getattr(self.trial, key) for key in KEYS},
            **self.cell.as_json(),
            "why": self.why,
            "captures": list(self.captures),
        }


@dataclass(frozen=True, slots=True)
class MatrixReport:
    """A whole run. ``started`` is ISO 8601, ``backend`` what ``auto`` took."""

    outcomes: tuple[Outcome, ...]
    kernel: str
    backend: str
    started: str
    seconds: float
    versions: Mapping[str, str]

    @property
    def as_expected(self) -> bool:
        """Whether every cell was."""
        return not self.surprises()

    def surprises(self) -> tuple[Outcome, ...]:
        """What was not as expected."""
        return tuple(one for one in self.outcomes if not one.cell.as_expected)

    def summary(self) -> str:
        """``24 of 24 cells as expected, 3 not to be had``."""
        tried = [one for one in self.outcomes if one.cell.expected is not Verdict.NOT_APPLICABLE]
        met = sum(one.cell.as_expected for one in tried)
        rest = len(self.outcomes) - len(tried)
        return f"{met} of {len(tried)} cells as expected" + (f", {rest} n/a" if rest else "")

    def as_json(self) -> dict[str, object]:
        """The object that ``--json`` prints."""
        return {
            "scenario": "matrix",
            "kernel": self.kernel,
            "backend": self.backend,
            "started": self.started,
            "seconds": round(self.seconds, 2),
            "versions": dict(self.versions),
            "cells": [one.as_json() for one in self.outcomes],
            "as_expected": self.as_expected,
        }


def grouped(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], dict[str, list[Outcome]]]:
    """Outcomes by client and mode, and in it by helper: the rows and columns of the table."""
    found: dict[tuple[str, str], dict[str, list[Outcome]]] = {}
    for client, mode in product(CLIENTS, Mode):
        mine = [one for one in outcomes if (one.trial.client, one.trial.mode) == (client, mode)]
        if mine:
            found[client, mode] = {
                helper: [one for one in mine if one.trial.helper == helper] for helper in Helper
            }
    return found
