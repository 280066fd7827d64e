"""The daemons' own readers agree with ours on what is a configuration and what is none."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.unit.server import test_proftpd, test_pureftpd, test_vsftpd

from .ftp_servers import program
from .netns import Namespaces, require_root

STARTS = "not configured for standalone"
"""What vsftpd says at last, when it is neither told to listen nor given a connection."""

NOT_BY_VSFTPD = {
    *("no number", "too large", "no octal", "no address", "announced name", "ports", "no port"),
    *("small verbs", "blank", "empty verb", "no verb", "NUL", "nobody"),
}
"""What vsftpd takes, for something else than is written or until a client comes."""


def vsftpd_says(text: str, directory: Path) -> str:
    """Its complaint, which it writes to descriptor 0."""
    file = directory / "vsftpd.conf"
    file.write_text(text, newline="")
    with (directory / "output").open("w+b") as output:
        command = [program("vsftpd"), str(file)]
        subprocess.run(command, stdin=output, check=False, timeout=10, capture_output=True)
        output.seek(0)
        return output.read().decode()


def test_vsftpd_refuses_what_we_refuse(tmp_path: Path) -> None:
    require_root()
    rows = [row for row in test_vsftpd.REFUSED if "listen=YES" not in row[1]]
    taken = {name for name, text, *_ in rows if STARTS in vsftpd_says(text, tmp_path)}
    assert taken == NOT_BY_VSFTPD - {"no address"}


def test_vsftpd_takes_what_we_take(tmp_path: Path) -> None:
    require_root()
    rows = [row for row in test_vsftpd.MEANT if "listen" not in row[1]]
    refused = {name for name, text, *_ in rows if STARTS not in vsftpd_says(text, tmp_path)}
    lacking = {"name announced", "TLS", "TLS is not for anonymous"}
    assert refused == lacking, "it looks for the name and the certificate at once"


def proftpd_takes(text: str, directory: Path) -> bool:
    file = directory / "proftpd.conf"
    file.write_text(f"User nobody\nGroup nogroup\n{text}", newline="")
    command = [program("proftpd"), "-t", "-c", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    return done.returncode == 0


NOT_BY_PROFTPD = {"open quote", "no file", "other servers alone", "no port"}
"""What ProFTPD does not look at so closely."""

NOT_HERE = {"TLS", "asked", "and checked", "module that is loaded", "own file"}
"""What needs a module or a file that is not here."""


def test_proftpd_refuses_what_we_refuse(tmp_path: Path) -> None:
    rows = test_proftpd.REFUSED
    assert {name for name, text, *_ in rows if proftpd_takes(text, tmp_path)} == NOT_BY_PROFTPD


def test_proftpd_takes_what_we_take(tmp_path: Path) -> None:
    rows: list[tuple[Any, ...]] = [*test_proftpd.MEANT, *test_proftpd.PRECEDENCE]
    rows += test_proftpd.CONDITIONS
    assert {name for name, text, *_ in rows if not proftpd_takes(text, tmp_path)} == NOT_HERE


def pure_ftpd_takes(namespace: str, *arguments: str) -> bool:
    """Whether it starts; it exits at once where it does not."""
    command = ["ip", "netns", "exec", namespace, program("pure-ftpd"), *arguments]
    try:
        subprocess.run(command, capture_output=True, check=False, timeout=0.3)
    except subprocess.TimeoutExpired:
        return True
    return False


NOT_BY_PURE_FTPD = {"no octal", "log", "no file to include"}
"""What Pure-FTPd takes, for something else than is written or for nothing."""


def test_pure_ftpd_refuses_what_we_refuse(namespaces: Namespaces, tmp_path: Path) -> None:
    namespace = namespaces.create("syntax")
    quiet = ["-f", "none", "-g", str(tmp_path / "pid")]
    taken = set()
    for name, text, *_ in test_pureftpd.REFUSED_ARGS:
        if pure_ftpd_takes(namespace, *quiet, *text.split()):
            taken.add(name)
    file = tmp_path / "pure-ftpd.conf"
    for name, text, *_ in test_pureftpd.REFUSED_CONF:
        file.write_text(f"SyslogFacility none\nPIDFile {tmp_path}/pid\n{text}\n")
        if pure_ftpd_takes(namespace, str(file)):
            taken.add(name)
    assert taken == NOT_BY_PURE_FTPD
