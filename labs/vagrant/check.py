"""Real clients on this machine, across the gateway: a download and an upload in each mode.

    check.py SERVER ADDRESS [--helper none|kernel|ftpfw] [--json]

SERVER is its name, in the table, and ADDRESS is where it listens. A cell passes where the client sent the command of its mode and no other,
and what it fetched and brought is what it was to be, byte for byte. Without a helper on the
gateway the active modes are expected to fail. Exit code 1 where something was not as expected.
With --json each row is a line of its own, as soon as it is known; the last line is the report.
"""

from __future__ import annotations

import argparse
import ftplib
import json
import platform
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from local import DOWNLOAD, INCOMING, LocalHost, content

from ftpfw.lab import clients
from ftpfw.lab.plain import table
from ftpfw.lab.programs import versions
from ftpfw.lab.results import Cell, Report, RowResult, Verdict, last_lines, modes_sent
from ftpfw.lab.scenario import LFTP_HAS_NO_EPRT, Client, Mode

CLIENTS = (Client.CURL, Client.LFTP, Client.FTPLIB)


def main() -> int:
    """Check as the arguments say; the exit code."""
    parser = argparse.ArgumentParser(usage=(__doc__ or "").splitlines()[2].strip())
    parser.add_argument("server")
    parser.add_argument("address")
    parser.add_argument("--helper", default="ftpfw", choices=("none", "kernel", "ftpfw"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    rows = []
    with TemporaryDirectory(prefix="ftpfw-check-") as directory:
        for row in checked(arguments.server, arguments.helper, Path(directory)):
            rows.append(row)
            if arguments.json:
                print(json.dumps(row.as_json()), flush=True)
    report = Report(
        "check",
        platform.release(),
        "as loaded",
        started,
        time.monotonic() - clock,
        tuple(rows),
        versions(),
    )
    if arguments.json:
        print(json.dumps({**report.as_json(), "rows": []}))
    else:
        print(table(report))
    return 0 if report.as_expected else 1


def checked(server: str, helper: str, directory: Path) -> Iterator[RowResult]:
    """Every client in every mode."""
    for mode, client in product(Mode, CLIENTS):
        if (client, mode) == (Client.LFTP, Mode.EPRT):
            cell = Cell(Verdict.NOT_APPLICABLE, Verdict.NOT_APPLICABLE, reason=LFTP_HAS_NO_EPRT)
        else:
            clock = time.monotonic()
            seen, reason = tried(client, mode, server, directory)
            expected = Verdict.FAIL if mode.active and helper == "none" else Verdict.PASS
            cell = Cell(expected, seen, time.monotonic() - clock, reason)
        yield RowResult(f"{mode} {client}", mode, client, {helper: cell})


def tried(client: Client, mode: Mode, server: str, directory: Path) -> tuple[Verdict, str | None]:
    """What one client's download and upload showed, and its last words where they failed."""
    uploaded = f"{INCOMING}/{mode}-{client}-{time.time_ns()}"
    errand = clients.Errand(
        server, DOWNLOAD, directory / "fetched", directory / "to-bring", uploaded
    )
    errand.local_download.unlink(missing_ok=True)
    errand.local_upload.write_bytes(content()[::-1])
    try:
        trace = clients.run(client, mode, LocalHost("client"), errand)
    except clients.ClientFailed as error:
        return (Verdict.FAIL if error.asked else Verdict.BROKEN), last_lines(str(error))
    if modes_sent(trace) != {mode.value}:
        return Verdict.FAIL, f"asked for {mode}, sent {', '.join(sorted(modes_sent(trace)))}"
    if errand.local_download.read_bytes() != content():
        return Verdict.FAIL, "the downloaded file differs"
    if fetched_back(server, uploaded) != content()[::-1]:
        return Verdict.FAIL, "the uploaded file differs"
    return Verdict.PASS, None


def fetched_back(server: str, path: str) -> bytes:
    """A file of the server's, by a passive transfer."""
    parts: list[bytes] = []
    with ftplib.FTP(server, timeout=clients.PATIENCE) as session:  # noqa: S321 -- the subject
        session.login()
        session.retrbinary(f"RETR {path}", parts.append)
    return b"".join(parts)


if __name__ == "__main__":
    sys.exit(main())
