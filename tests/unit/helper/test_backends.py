"""Which backend a policy gets, by what the host offers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ftpfw.errors import HostError
from ftpfw.helper import backends
from ftpfw.helper.backends import Offer, resolve_backend
from ftpfw.ruleset.policy import Backend, Policy
from ftpfw.ruleset.policy_file import read_policy


def policy(**helper: str) -> Policy:
    settings = "\n".join(f'{key} = "{value}"' for key, value in helper.items())
    text = f'[gateway]\ninside = ["eth1"]\noutside = "eth0"\n[helper]\n{settings}\n'
    return read_policy(text, "gateway.toml")


def host(monkeypatch: pytest.MonkeyPatch, *usable: Backend) -> None:
    offers = [
        Offer(backend, backend in usable, f"why {backend}", f"mend {backend}")
        for backend in (Backend.BORROWED, Backend.CTHELPER, Backend.KERNEL)
    ]
    monkeypatch.setattr(backends, "offers", lambda: offers)


CHOICES = [
    # id, host offers, policy, backend
    ("auto takes borrowed", [Backend.BORROWED, Backend.CTHELPER], {}, Backend.BORROWED),
    ("else cthelper", [Backend.CTHELPER, Backend.KERNEL], {}, Backend.CTHELPER),
    ("as written", [Backend.BORROWED, Backend.CTHELPER], {"backend": "cthelper"}, "cthelper"),
    ("the kernel's", [Backend.KERNEL], {"backend": "kernel"}, Backend.KERNEL),
    ("none needs nothing", [], {"backend": "none"}, Backend.NONE),
]


@pytest.mark.parametrize(
    ("usable", "helper", "expected"), [row[1:] for row in CHOICES], ids=[row[0] for row in CHOICES]
)
def test_choice(
    monkeypatch: pytest.MonkeyPatch, usable: list[Backend], helper: dict[str, str], expected: str
) -> None:
    host(monkeypatch, *usable)
    assert resolve_backend(policy(**helper)) == expected


REFUSED = [
    ("nothing", [], {}, ["borrowed", "cthelper"]),
    ("auto is never the kernel's", [Backend.KERNEL], {}, ["borrowed", "cthelper"]),
    ("fail-closed needs borrowed", [Backend.CTHELPER], {"on_crash": "closed"}, ["borrowed"]),
    ("several queues need borrowed", [Backend.CTHELPER], {"queue": "0-3"}, ["borrowed"]),
    ("as written, or not at all", [Backend.BORROWED], {"backend": "cthelper"}, ["cthelper"]),
]


@pytest.mark.parametrize(
    ("usable", "helper", "named"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_no_usable_backend_says_why_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, usable: list[Backend], helper: dict[str, str], named: list[str]
) -> None:
    host(monkeypatch, *usable)
    with pytest.raises(HostError) as error:
        resolve_backend(policy(**helper))
    assert error.value.mend == "; or ".join(f"mend {backend}" for backend in named)
    assert all(f"why {backend}" in error.value.what for backend in named)


def test_without_nfqueue_no_inspector_can_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(backends, "NFQUEUE_PROC", tmp_path / "nfnetlink_queue")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(backends, "has_capability", lambda _: True)
    monkeypatch.setattr(backends, "_can_unshare", lambda: False)
    found = {offer.backend: offer for offer in backends.offers()}
    assert not found[Backend.BORROWED].usable
    assert not found[Backend.CTHELPER].usable
    assert found[Backend.KERNEL].usable
    assert "nfnetlink_queue" in found[Backend.BORROWED].mend


def test_without_the_capability_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "has_capability", lambda _: False)
    offer = next(offer for offer in backends.offers() if offer.backend is Backend.KERNEL)
    assert not offer.usable
    assert "CAP_NET_ADMIN" in offer.why
    assert "sudo" in offer.mend


@pytest.mark.parametrize(
    ("user", "loaded", "usable"),
    [(0, False, True), (1000, True, True), (1000, False, False)],
    ids=["root's rules will load it", "loaded by root's rules", "not what root took"],
)
def test_where_nothing_can_be_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, user: int, loaded: bool, usable: bool
) -> None:
    monkeypatch.setattr(backends, "has_capability", lambda _: True)
    monkeypatch.setattr(backends, "_can_unshare", lambda: False)
    monkeypatch.setattr(backends, "LOADED_MODULES", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if loaded:
        (tmp_path / "nf_conntrack_ftp").mkdir()
    offers = {offer.backend: offer for offer in backends.offers()}
    assert offers[Backend.KERNEL].usable is usable
