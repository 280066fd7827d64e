from __future__ import annotations

from pathlib import Path

import pytest

from ftpfw.lab.clients import Errand, curl_commands, lftp_commands
from ftpfw.lab.scenario import Mode

ERRAND = Errand("192.0.2.10", "a.bin", Path("got"), Path("b.bin"), "incoming/b.bin")

CURL = [
    pytest.param(Mode.PORT, {"--ftp-port", "--disable-eprt"}, id="PORT"),
    pytest.param(Mode.EPRT, {"--ftp-port"}, id="EPRT"),
    pytest.param(Mode.PASV, {"--ftp-pasv", "--disable-epsv"}, id="PASV"),
    pytest.param(Mode.EPSV, {"--ftp-pasv"}, id="EPSV"),
]
CURL_MODE_OPTIONS = {"--ftp-port", "--ftp-pasv", "--disable-eprt", "--disable-epsv"}


@pytest.mark.parametrize(("mode", "options"), CURL)
def test_curl_modes(mode: Mode, options: set[str]) -> None:
    for command in curl_commands(mode, ERRAND):
        assert CURL_MODE_OPTIONS & set(command) == options


def test_curl_fetches_then_brings() -> None:
    fetch, bring = curl_commands(Mode.PASV, ERRAND)
    assert fetch[-3:] == ["--output", "got", "ftp://192.0.2.10/a.bin"]
    assert bring[-3:] == ["--upload-file", "b.bin", "ftp://192.0.2.10/incoming/b.bin"]


def test_lftp_reads_no_configuration_and_stops_at_a_failure() -> None:
    ((*options, script),) = lftp_commands(Mode.EPSV, ERRAND)
    assert "--norc" in options
    assert "set cmd:fail-exit yes" in script
    assert script.endswith("get a.bin -o got; put b.bin -o incoming/b.bin")
