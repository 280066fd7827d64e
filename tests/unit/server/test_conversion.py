"""What ``ftpfw server convert`` promises of every option: it arrives, or it is listed."""

from __future__ import annotations

import re
from functools import cache
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftpfw.server.forms import DAEMON_OF, TABLES, WRITERS, read_text
from ftpfw.server.options import Form, Reading, Standing
from ftpfw.server.recipes import Place, Purpose, make
from ftpfw.server.settings import Settings, alike, differences, matters, paths

from .facts import errors_of_configuration
from .option_values import CASES, NO_CASE, Case
from .wuftpd_lines import LINES, PLAIN

TARGETS = (Form.VSFTPD, Form.PURE_ARGS, Form.PROFTPD)
"""One syntax of each daemon: those of Pure-FTPd differ in none of the settings."""


@cache
def reading(text: str, form: Form) -> Reading:
    return read_text(text, "source", form)


def left_out(read: Reading) -> set[tuple[str, str, str]]:
    """What ``convert`` says of options that it leaves out."""
    return {
        (one.option.name, one.text, one.option.what)
        for one in read.given
        if one.standing is not Standing.OBEYED
    }


def converted(source: Settings, target: Form) -> tuple[Settings, set[str]]:
    """What the text of a target means to its own reader, and the settings that are listed."""
    written = WRITERS[target](source)
    got = read_text(written.text, "target", target).settings
    return got, {one.path for one in written.unexpressed}


def others(form: Form) -> list[Form]:
    return [one for one in TARGETS if DAEMON_OF[one] is not DAEMON_OF[form]]


@pytest.mark.parametrize("form", [Form.VSFTPD, Form.PURE_CONF, Form.PROFTPD])
def test_there_is_a_case_of_every_option(form: Form) -> None:
    rows = {row.name for row in TABLES[DAEMON_OF[form]]}
    assert {case.option for case in CASES if case.form is form} == rows - NO_CASE.keys()
    assert all(NO_CASE.values())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_option_vanishes(case: Case) -> None:
    before, after = (reading(text, case.form) for text in (case.without, case.given))
    said = differences(before.settings, after.settings)
    assert said or left_out(after) - left_out(before), "it is read, and nothing comes of it"
    effects = (matters(one.settings, path) for one in (before, after) for path in said)
    assert not said or any(effects), "the case is of something without effect"
    for target in others(case.form):
        got, listed = converted(after.settings, target)
        for path in said:
            assert (
                got.get(path) == after.settings.get(path)
                or path in listed
                or alike(after.settings, got, path)
                or not (matters(after.settings, path) or matters(got, path))
            ), (target, path)


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("form", TARGETS)
def test_nothing_of_what_is_generated_is_refused(form: Form, purpose: Purpose) -> None:
    recipe = make(purpose, form, Place(address=ip_address("192.0.2.1")))
    assert not reading(recipe.configuration, form).refused()


@pytest.mark.parametrize("line", LINES)
def test_nothing_of_wu_ftpds_lines_vanishes(line: str) -> None:
    before = reading(PLAIN, Form.WU_FTPD)
    after = reading(f"{PLAIN}{line}\n", Form.WU_FTPD)
    said = differences(before.settings, after.settings)
    assert said or left_out(after) - left_out(before), "it is read, and nothing comes of it"


LISTED_TOO = [
    # what a line says beside its setting
    ("class all real,anonymous 10.0.0.*", "from which addresses"),
    ("class all real,anonymous !10.0.0.1 *", "from which addresses"),
    ("defumask 077 local", "one class"),
    ("passive ports 10.0.0.0/8 50000 50100", "some addresses"),
    ("passive address 192.0.2.1 10.0.0.0/8", "some addresses"),
    ("port-allow local 10.0.0.1", "other addresses"),
    ("pasv-allow local 10.0.0.1", "other addresses"),
    ("message /note login local", "one class or directory"),
    ("message .note cwd=/pub", "one class or directory"),
    ("log transfers anonymous inbound", "some sessions"),
    ("log commands anonymous", "some sessions"),
    ("chmod no anonymous,class=local", "one class"),
    ("upload class=local /srv/ftp /in yes root ftp 0600", "one class"),
    ("upload /srv/ftp /in yes root staff 0600", "staff"),
    ("anonymous-root /srv/other local", "one class"),
]


@pytest.mark.parametrize(("line", "said"), LISTED_TOO, ids=[line for line, _ in LISTED_TOO])
def test_for_whom_a_line_of_wu_ftpds_is_is_listed(line: str, said: str) -> None:
    assert any(said in what for _, _, what in left_out(reading(line, Form.WU_FTPD)))


@st.composite
def configurations(draw: st.DrawFn) -> tuple[Form, Settings]:
    """A configuration of several options of one daemon together; the settings it says."""
    form = draw(st.sampled_from([Form.VSFTPD, Form.PURE_CONF, Form.PROFTPD]))
    here = [case for case in CASES if case.form is form and case.place in {"", "server"}]
    chosen = draw(st.lists(st.sampled_from(here), max_size=12, unique_by=lambda one: one.option))
    section = "<Anonymous /srv/ftp>\nUser ftp\nGroup ftp\n</Anonymous>\n"
    text = "".join(case.line for case in chosen) + section * (form is Form.PROFTPD)
    read = reading("", form)
    with errors_of_configuration() as caught:
        read = reading(text, form)
    assert all(re.search("exclude|run backwards|no IP", one.what) for one in caught)
    return form, read.settings


@settings(max_examples=150)
@given(configurations(), st.sampled_from(TARGETS))
def test_there_and_back_loses_nothing_that_is_not_listed(
    source: tuple[Form, Settings], target: Form
) -> None:
    form, wanted = source
    there, lost = converted(wanted, target)
    back, lost_back = converted(there, form)
    if "files.base_mode" in lost | lost_back:  # the other half of what makes a mode
        lost |= {"anonymous.file_umask", "users.file_umask"}
    for path in differences(wanted, back):
        assert (
            path in lost | lost_back
            or alike(wanted, back, path)
            or not (matters(wanted, path) or matters(back, path))
            or not matters(there, path)
        ), path


def test_every_setting_is_lost_or_kept_by_some_case() -> None:
    """The cases reach every setting that an option can say."""
    said = {
        path
        for case in CASES
        for path in differences(
            reading(case.without, case.form).settings, reading(case.given, case.form).settings
        )
    }
    assert {path for rows in TABLES.values() for row in rows for path in row.paths} - said == set()
    assert said <= {*paths()}
