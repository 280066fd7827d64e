"""The same configuration given to the daemon and to the embedded server, and the same questions.

Equal is the kind of reply, what comes over the data connection, and what is on disk after it:
names, sizes, modes, owners. What differs is in one table, with a reason. ``make server-proof``
plays all configurations, ``make test`` one of each daemon.
"""

from __future__ import annotations

import ast
import os
import select
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from ftpfw.server.embedded import obeyed
from ftpfw.server.embedded.obeyed import IDLE_PREFIXES
from ftpfw.server.options import Form, Option
from ftpfw.server.proftpd.table import ROWS as PROFTPD_TABLE
from ftpfw.server.pureftpd.table import ROWS as PURE_TABLE
from ftpfw.server.settings import paths
from ftpfw.server.vsftpd.table import ROWS as VSFTPD_TABLE

from .conftest import made_namespaces
from .served import PATIENCE
from .server_configurations import CONFIGURATIONS, PURE, A, Configuration, P, V
from .server_differences import DIFFERENCES, fits
from .server_options import OPTIONS, Row
from .server_probes import PROBES
from .twins import Probe, running

SHORT = {"vsftpd:anon_umask", "pure-ftpd-args:Umask", "proftpd:PathAllowFilter"}
CHOSEN = {"vsftpd-box", "pure-ftpd-box", "proftpd-box"}
ALL = bool(os.environ.get("FTPFW_SERVER_PROOF"))
RUN = [one for one in CONFIGURATIONS if ALL or one.id in CHOSEN]
SHOWN = [row for row in OPTIONS if ALL or row.id in SHORT]
TOGETHER = 45


@pytest.mark.parametrize("configuration", RUN, ids=[one.id for one in RUN])
def test_it_answers_as_the_daemon_does(configuration: Configuration, tmp_path: Path) -> None:
    form, text = configuration.form, configuration.text
    with made_namespaces() as namespaces, ExitStack() as stack:
        daemon, ours = (
            stack.enter_context(
                running(namespaces.create(name), form, text, tmp_path / name, ours=name == "ours")
            )
            for name in ("daemon", "ours")
        )
        together = TOGETHER if form is P else 1
        answers = zip(daemon.answers(PROBES, together), ours.answers(PROBES), strict=True)
        found = {probe.id: pair for probe, pair in zip(PROBES, answers, strict=True)}
    wrong = [
        f"{probe}: the daemon: {theirs}; ours: {mine}"
        for probe, (theirs, mine) in found.items()
        if not is_right(configuration.id, probe, theirs, mine)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("row", SHOWN, ids=[row.id for row in SHOWN])
def test_an_option_does_what_it_does_in_the_daemon(row: Row, tmp_path: Path) -> None:
    """The daemon answers as the row has it; ours as the daemon, or as the table says."""
    if os.getloadavg()[1] < row.least_load:
        pytest.skip(f"needs a load of {row.least_load} for five minutes, which sysinfo(2) tells")
    daemon, ours = (_answers(row, row.text, tmp_path / name) for name in ("daemon", "ours"))
    for (script, wanted), theirs, mine in zip(row.asked, daemon, ours, strict=True):
        assert fits(wanted, theirs), f"{script}: the daemon: {theirs}"
        assert is_right(row.id, script, theirs, mine), f"{script}: {theirs}; ours: {mine}"
    if row.without:
        assert _answers(row, row.without, tmp_path / "without" / "ours") != ours


@pytest.mark.skipif(not ALL, reason="it takes more than a minute: make server-proof")
def test_a_session_may_be_idle_for_a_minute(tmp_path: Path) -> None:
    """The one limit that counts in minutes: both servers wait at the same time."""
    probe = Probe("idle", "@end 90")
    with made_namespaces() as namespaces, ExitStack() as stack, ThreadPoolExecutor(2) as threads:
        both = [
            stack.enter_context(
                running(namespaces.create(name), A, f"{PURE}-e -I 1", tmp_path / name, ours=ours)
            )
            for name, ours in (("daemon", False), ("ours", True))
        ]
        assert [*threads.map(lambda one: one.answer(probe), both)] == ["4 0", "4 0"]


def _answers(row: Row, text: str, directory: Path) -> list[str]:
    ours = directory.name == "ours"
    directory.parent.mkdir(exist_ok=True)
    with (
        made_namespaces() as namespaces,
        running(
            namespaces.create("option"),
            row.form,
            text,
            directory,
            ours=ours,
            commands=row.commands,
            at=row.at,
            by_inetd=row.by_inetd,
        ) as server,
    ):
        answers = [server.answer(Probe(ask, ask, row.login)) for ask, _ in row.asked]
        if row.written is not None and text == row.text:
            await_text(server.files / row.written[ours], row.written[2])
    return answers


def await_text(file: Path, text: str) -> None:
    """A log may be written after the reply."""
    for _ in range(int(PATIENCE / 0.05)):
        if file.exists() and text.lower() in file.read_text(errors="replace").lower():
            return
        select.select([], [], [], 0.05)
    pytest.fail(f"{text!r} is not in {file}")


def is_right(configuration: str, probe: str, theirs: str, mine: str) -> bool:
    """Whether two answers are alike, or differ as one row of the table says."""
    rows = [row for row in DIFFERENCES if row.is_for(configuration, probe)]
    if not rows:
        return theirs == mine
    return len(rows) == 1 and theirs != mine and rows[0].holds(theirs, mine)


def test_the_table_names_what_there_is() -> None:
    probes = {probe.id for probe in PROBES}
    assert len(probes) == len(PROBES)
    asked = {(row.id, script) for row in OPTIONS for script, _ in row.asked}
    for row in DIFFERENCES:
        for whose in row.whose:
            if ":" in whose:
                assert (whose, row.probe) in asked
            else:
                assert row.probe in probes
                assert any(one.id.startswith(whose) for one in CONFIGURATIONS), whose


TABLES: dict[Form, tuple[Option, ...]] = {V: VSFTPD_TABLE, A: PURE_TABLE, P: PROFTPD_TABLE}
_RATES = "test_serve_rates.py::test_a_limit_slows_transfers"
ELSEWHERE = {
    **dict.fromkeys(
        ("anon_max_rate", "AnonymousBandwidth", "UserBandwidth", "TransferRate"), _RATES
    ),
    "implicit_ssl": "test_serve_tls.py::test_implicit_tls",
    "MaxIdleTime": "test_serve_differential.py::test_a_session_may_be_idle_for_a_minute",
}
"""Options whose effect is shown by another test, which plays no script of a row."""

OURS_ALONE = {
    "anonymous.drop_box.quota_files": "test_serve_uploads.py::files_without_content_have_a_bound",
    "anonymous.drop_box.quota_bytes": "test_serve_uploads.py::all_uploads_have_a_bound",
}
"""Settings that no daemon has, and the test that shows them."""


def kept(path: str) -> bool:
    """Whether the embedded server keeps a setting."""
    return path not in {row.path for row in obeyed.ROWS} and not path.startswith(IDLE_PREFIXES)


@pytest.mark.parametrize("form", TABLES, ids=str)
def test_every_option_that_is_obeyed_is_shown(form: Form) -> None:
    obeyed_here = {row.name for row in TABLES[form] if any(map(kept, row.paths))}
    shown = {name for row in OPTIONS if row.form is form for name in row.options.split()}
    assert shown <= {row.name for row in TABLES[form]}
    assert obeyed_here - shown == {*ELSEWHERE} & obeyed_here
    assert not shown & {*ELSEWHERE}


@pytest.mark.parametrize("named", sorted({*ELSEWHERE.values(), *OURS_ALONE.values()}))
def test_what_is_shown_elsewhere_is_there(named: str) -> None:
    file, _, test = named.partition("::")
    tree = ast.parse((Path(__file__).parent / file).read_text())
    assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_setting_that_is_kept_has_an_option_that_is_shown() -> None:
    shown = {
        path
        for row in OPTIONS
        for option in TABLES[row.form]
        if option.name in row.options.split()
        for path in option.paths
    }
    elsewhere = {
        path
        for table in TABLES.values()
        for option in table
        if option.name in ELSEWHERE
        for path in option.paths
    }
    assert {path for path in paths() if kept(path)} - shown - elsewhere == {*OURS_ALONE}
