"""Every setting is kept, refused or told of: none is dropped in silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ftpfw.errors import ConfigError
from ftpfw.server.embedded.obeyed import (
    IDLE_PREFIXES,
    ROWS,
    notices,
    require_kept,
    sort_given,
)
from ftpfw.server.embedded.own import Wish, asked, base, drop_box
from ftpfw.server.embedded.precautions import PRECAUTIONS, rows
from ftpfw.server.settings import Settings, changed, paths
from ftpfw.server.vsftpd.reader import read

CODE = Path(__file__).parents[4] / "ftpfw" / "server" / "embedded"
DOCUMENT = Path(__file__).parents[4] / "docs" / "serving.md"


def test_every_setting_is_kept_or_in_a_row() -> None:
    """A setting that the code names nowhere is either idle or in a row."""
    code = "".join(path.read_text() for path in CODE.glob("*.py") if path.name != "obeyed.py")
    told = {row.path for row in ROWS}
    silent = [
        path
        for path in paths()
        if not path.startswith(IDLE_PREFIXES)
        and path not in told
        and not re.search(rf"""[."]{path.rpartition(".")[2]}\b""", code)
    ]
    assert not silent


def test_rows_name_settings() -> None:
    assert {row.path for row in ROWS} <= {*paths()}


def test_own_settings_are_kept() -> None:
    for settings in (base(privileged=True), base(privileged=False)):
        require_kept(settings)
        require_kept(changed(settings, drop_box("/srv", None, "root")))
        assert not [*notices(settings)]


def test_what_is_asked_for_is_what_changes() -> None:
    assert asked(Wish()) == {}
    assert asked(Wish(port=2121, inetd=True)).keys() == {"listen.port", "listen.start"}
    assert asked(Wish(upload_rate=1000)) == {"limits.anonymous_upload_rate": 1000}


def test_no_rate_is_no_bound() -> None:
    settings = changed(base(privileged=True), drop_box("/srv", None, "root"))
    assert settings.limits.anonymous_upload_rate
    settings = changed(settings, asked(Wish(upload_rate=0)))
    assert settings.limits.anonymous_upload_rate is None


def _settings(text: str) -> Settings:
    return read(text, "vsftpd.conf").settings


REFUSED = [
    ("no anonymous", "anonymous_enable=NO\n", "vsftpd.conf:1: anybody may not log in"),
    ("accounts", "anonymous_enable=YES\nlocal_enable=YES\n", "vsftpd.conf:2: accounts may log in"),
]


@pytest.mark.parametrize(("text", "error"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refused_settings_are_pointed_at(text: str, error: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(error)}"):
        require_kept(_settings(text))


def test_notices_are_of_lines_that_are_there() -> None:
    text = "connect_from_port_20=YES\npasv_promiscuous=YES\nnopriv_user=nobody\n"
    assert [line.partition(": ")[0] for line in notices(_settings(text))] == [
        "vsftpd.conf:2",
        "vsftpd.conf:1",
        "vsftpd.conf:3",
    ]


def test_options_that_only_their_daemon_can_be_trusted_with_end_the_start() -> None:
    with pytest.raises(ConfigError, match=r"vsftpd\.conf:2: tcp_wrappers YES"):
        list(sort_given(read("background=YES\ntcp_wrappers=YES\n", "vsftpd.conf").given))


def test_harmless_options_are_told_of() -> None:
    (line,) = sort_given(read("background=YES\n", "vsftpd.conf").given)
    assert line.startswith("vsftpd.conf:1: background is ignored")


def test_the_document_has_the_table_of_precautions() -> None:
    assert "\n".join(rows()) in DOCUMENT.read_text()


def test_precautions_have_names_of_their_own() -> None:
    assert len({one.id for one in PRECAUTIONS}) == len(PRECAUTIONS)
