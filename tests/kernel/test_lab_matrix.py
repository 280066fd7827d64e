"""The matrix through the command line: a choice of its cells, and one that goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ftpfw.lab import matrix_run
from ftpfw.lab.clients import running
from ftpfw.lab.clients.commands import Errand
from ftpfw.lab.daemons.running import UNPACKED
from ftpfw.lab.hosts import LabHost
from ftpfw.lab.matrix import KEYS, VALUES, chosen, parse_filter
from ftpfw.lab.results import Verdict
from ftpfw.lab.stage import DOWNLOAD

from .netns import require_program, require_root


@pytest.fixture(autouse=True)
def _needs() -> None:
    require_root()
    require_program("ip", "vsftpd", "lftp", "curl", "ncftpget", "tnftp", "wget")
    if not UNPACKED.exists():
        pytest.skip(f"needs {UNPACKED}, which tools/setup makes")


def test_a_choice_is_as_expected(tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    command = [
        sys.executable,
        "-m",
        "ftpfw",
        "lab",
        "run",
        "matrix",
        "--json",
        "--junit",
        str(junit),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    report = json.loads(done.stdout)
    assert not [cell for cell in report["cells"] if not cell["as_expected"]]
    assert done.returncode == 0
    tried = [cell for cell in report["cells"] if cell["expected"] != "n/a"]
    for key in KEYS:
        met = {cell[key] for cell in tried}
        assert met == set(VALUES[key]), key
    (suite,) = ElementTree.parse(junit).getroot()
    assert suite.attrib["tests"] == str(len(report["cells"]))


def test_a_surprise_keeps_what_was_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that writes one byte of the file anew."""
    honest = running.transfer

    def damaging(client: str, host: LabHost, errand: Errand) -> str:
        trace = honest(client, host, errand)
        local = Path(errand.local)
        content = local.read_bytes()
        local.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        return trace

    monkeypatch.setattr(running, "transfer", damaging)
    wanted = {"server": ["vsftpd"], "client": ["curl"], "mode": ["PORT"], "direction": ["down"]}
    trial = next(
        one
        for one in chosen(wanted, whole=False, seed=1)
        if (one.helper, one.firewall, one.family) == ("ftpfw", "iptables-nft", "IPv4")
    )
    report = matrix_run.run([trial], lambda _: None, tmp_path)
    (surprise,) = report.surprises()
    assert surprise.cell.seen is Verdict.FAIL
    assert surprise.cell.reason == "the downloaded file differs"
    captures = [Path(path).read_bytes() for path in surprise.captures]
    assert len(captures) == 2
    assert all(b"PORT" in capture and DOWNLOAD.encode() in capture for capture in captures)
    assert b"PORT 192,0,2,1," in captures[1]
    assert (Path(surprise.captures[0]).parent / "trace.txt").exists()


def test_ftpfw_on_nftables(tmp_path: Path) -> None:
    """Where nf_tables can queue: on the virtual machine, mostly."""
    wanted = parse_filter("server=vsftpd,client=curl,direction=down,helper=ftpfw,family=IPv4")
    able = [trial for trial in chosen(wanted, whole=True, seed=1) if trial.firewall == "nftables"]
    report = matrix_run.run(able, lambda _: None, tmp_path)
    if all(one.cell.expected is Verdict.NOT_APPLICABLE for one in report.outcomes):
        pytest.skip("needs nf_tables' queue statement (nft_queue)")
    assert report.surprises() == ()
    assert len(report.outcomes) == 8
