"""``ftpfw inspect`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftpfw.cli import main
from tests.unit.capture.traffic import CLIENT, SERVER, Traffic, write


def run(*arguments: str | Path) -> int:
    """The exit code of ``ftpfw inspect``."""
    with pytest.raises(SystemExit) as end:
        main(["inspect", *(str(argument) for argument in arguments)])
    return int(end.value.code or 0)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    traffic = Traffic()
    wire = traffic.control()
    wire.say(b"PASV\r\n").hear(b"227 [red]Passive[/red] (192,0,2,1,156,64)\r\n")
    traffic.wire(CLIENT, 50000, SERVER, 40000).open().hear(b"x" * 1500).close()
    wire.say(b"PORT 10,0,0,9,156,64\r\n").hear(b"500 no\r\n")
    return write(tmp_path / "session.pcap", traffic, "ethernet")


def test_the_tables(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capture) == 0
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    first = "10.0.0.1:40000 192.0.2.1:21 0.015 227 [red]Passive[/red] (192,0,2,1,156,64)"
    assert f"{first} 10.0.0.1 → 192.0.2.1:40000 ✓ accepted" in lines
    assert any(line.endswith("✗ foreign address") for line in lines)
    assert any(line.startswith("10.0.0.1:50000 192.0.2.1:40000 0.017 0 B 1.5 kB") for line in lines)
    assert lines[-1].startswith(
        "1 control connection, 2 negotiations (1 accepted), 1 data connection (1 expected) in"
    )


def test_one_object_of_json(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capture, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [*report] == ["control_connections", "data_connections", "counts", "damage"]
    (control,) = report["control_connections"]
    assert control["client"] == f"{CLIENT}:40000"
    assert [one["accepted"] for one in control["negotiations"]] == [True, False]
    assert report["data_connections"][0]["expected"] is True
    assert report["damage"] is None


def test_a_page_beside_it(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capture, "--json", "--html", tmp_path / "page.html") == 0
    assert json.loads(capsys.readouterr().out)["control_connections"]
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "FTP in session.pcap" in text
    assert "✗ opens nothing: foreign address" in text


def test_a_page_that_cannot_be_written(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capture, "--html", tmp_path / "no" / "page.html") == 1
    assert "No such file" in capsys.readouterr().err


def test_no_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing but text, and enough of it for a header")
    assert run(path) == 1
    error = capsys.readouterr().err
    assert f"{path}: not a capture" in error
    assert "mend: give a pcap" in error


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none.pcap") == 1
    assert "No such file" in capsys.readouterr().err


def test_what_is_missing_is_told(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture.write_bytes(capture.read_bytes()[:-5])
    page = capture.with_suffix(".html")
    assert run(capture, "--html", page) == 0
    assert "it ends in the middle of a record" in page.read_text(encoding="utf-8")
    assert "it ends in the middle of a record" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("port", ["0", "65536", "ftp"])
def test_a_port_is_a_port(port: str, capture: Path) -> None:
    assert run(capture, "--port", port) == 2


def test_another_control_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic = Traffic()
    traffic.control(port=2121).say(b"PASV\r\n")
    traffic.packets = traffic.packets[8:]
    path = write(tmp_path / "middle.pcap", traffic, "SLL")
    assert run(path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["control_connections"] == []
    assert run(path, "--json", "--port", "21", "--port", "2121") == 0
    (control,) = json.loads(capsys.readouterr().out)["control_connections"]
    assert control["server"] == f"{SERVER}:2121"
