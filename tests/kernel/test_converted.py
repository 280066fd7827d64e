"""Configurations converted from each daemon to each other, and both asked the same.

Equal is the kind of reply, what comes over the data connection, and what is on disk after it.
What differs has been listed by ``convert``, or is in the table of what the daemons do whatever
their configuration (``conversion_differences``). wu-ftpd runs nowhere any more: what its manual
says stands for its answers. Part of ``make server-proof``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from ftpfw.server.forms import DAEMON_OF, TABLES
from ftpfw.server.options import Form

from .conversion_differences import DIFFERENCES, GO_BY, OPTION_DIFFERENCES, SHOWS, WU_FTPD_ANSWERS
from .converted import SOURCES, TARGETS, Source, W, answers, asked, converted
from .netns import require_root
from .server_differences import fits
from .server_options import OPTIONS, Row

pytestmark = pytest.mark.skipif(
    not os.environ.get("FTPFW_SERVER_PROOF"), reason="for make server-proof"
)


@pytest.mark.parametrize("source", SOURCES, ids=[one.id for one in SOURCES])
def test_it_does_what_its_source_does(source: Source, tmp_path: Path) -> None:
    require_root()
    theirs = _of_source(source, tmp_path)
    wrong = []
    for target in others(source.form):
        text, listed = converted(source, target)
        mine = answers(source, target, text, tmp_path / target)
        wrong += [
            f"{target}: {probe}: {said!r} became {mine[probe]!r}"
            for probe, said in theirs.items()
            if not is_right((source, target), probe, (said, mine[probe]), listed)
        ]
    assert not wrong, "\n".join(wrong)


def _of_source(source: Source, directory: Path) -> Mapping[str, str]:
    if source.form is W:
        return {row.probe: row.answer for row in WU_FTPD_ANSWERS if row.is_for(source.id)}
    return answers(source, source.form, source.text, directory / "source")


def others(form: Form) -> list[Form]:
    return [one for one in TARGETS if DAEMON_OF[one] is not DAEMON_OF[form]]


def is_right(
    pair: tuple[Source, Form], probe: str, answers_: tuple[str, str], listed: frozenset[str]
) -> bool:
    """Whether two answers are alike, or differ as one row says, or as has been listed."""
    (source, target), (said, answer) = pair, answers_
    own = own_form(source.form)
    rows = [row for row in DIFFERENCES if row.is_for(source.id, probe, own, target)]
    if rows:
        return len(rows) == 1 and said != answer and rows[0].holds(own, said, target, answer)
    alike = fits(said, answer) if source.form is W else said == answer
    return alike or any(probe in SHOWS.get(path, ()) for path in listed)


def own_form(form: Form) -> Form:
    """The form that stands for a daemon."""
    return next((one for one in TARGETS if DAEMON_OF[one] is DAEMON_OF[form]), form)


@pytest.mark.parametrize("row", OPTIONS, ids=[row.id for row in OPTIONS])
def test_an_option_does_the_same_elsewhere(row: Row, tmp_path: Path) -> None:
    """What shows an option on its own daemon shows it on the others, or it has been listed.

    Not how long it takes: each waits where it likes to keep to a rate.
    """
    require_root()
    paths = {
        path
        for option in TABLES[DAEMON_OF[row.form]]
        if option.name in row.options.split()
        for path in option.paths
    }
    for target in others(row.form):
        source = Source(row.id, row.form, row.text)
        text, listed = converted(source, target)
        if listed & (paths | GO_BY.get(row.options, frozenset())):
            continue
        wrong = [
            f"{target}: {script}: {wanted!r} became {answer!r}"
            for (script, wanted), answer in asked(row, target, text, tmp_path / target)
            if not fits(wanted, answer) and not script.startswith("@takes")
        ]
        known = OPTION_DIFFERENCES.get((row.options, target))
        if known is None:
            assert not wrong, "\n".join(wrong)
        else:
            assert len(wrong) == 1, f"{known[1]}: {wrong}"
            assert fits(f"…became '{known[0]}'", wrong[0]), wrong


def test_the_table_of_options_names_what_there_is() -> None:
    known = {(row.options, target) for row in OPTIONS for target in others(row.form)}
    assert {*OPTION_DIFFERENCES} <= known
    assert {*GO_BY} <= {row.options for row in OPTIONS}
