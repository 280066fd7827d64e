"""The same configuration given to the daemon and to the embedded server, and the same questions.

Equal is the kind of reply, what comes over the data connection, and what is on disk after it:
names, sizes, modes, owners. What differs is in one table, with a reason. ``make server-proof``
plays all configurations, ``make test`` one of each daemon.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from .conftest import made_namespaces
from .server_configurations import CONFIGURATIONS, Configuration, P
from .server_differences import DIFFERENCES
from .server_probes import PROBES
from .twins import running

CHOSEN = {"vsftpd-box", "pure-ftpd-box", "proftpd-box"}
ALL = bool(os.environ.get("FTPFW_SERVER_PROOF"))
RUN = [one for one in CONFIGURATIONS if ALL or one.id in CHOSEN]
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


def is_right(configuration: str, probe: str, theirs: str, mine: str) -> bool:
    """Whether two answers are alike, or differ as one row of the table says."""
    rows = [row for row in DIFFERENCES if row.is_for(configuration, probe)]
    if not rows:
        return theirs == mine
    return len(rows) == 1 and theirs != mine and rows[0].holds(theirs, mine)


def test_the_table_names_what_there_is() -> None:
    probes = {probe.id for probe in PROBES}
    assert len(probes) == len(PROBES)
    for row in DIFFERENCES:
        assert row.probe in probes
        for whose in row.whose:
            assert any(one.id.startswith(whose) for one in CONFIGURATIONS), whose
