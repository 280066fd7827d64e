"""`make vagrant-lab`: the exercise's machines up, real clients through their gateway, and gone.

    lab.py [--servers NAME,...] [--json] [--html FILE]

Prints the table: each client in each mode with each server, the gateway without a helper, with the
kernel's, and with ftpfw on the backend `cthelper`. Exit code 1 where something was not as
expected or the machines cannot be had. However it ends, the machines are destroyed, and of what it
made only `.vagrant-lab` stays: the box, for the next run.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import LabError, machines, say
from reached import Reached

from ftpfw.cli.interrupts import interrupts_unwind
from ftpfw.lab.plain import merged, table
from ftpfw.lab.results import Report, RowResult

BACKENDS = {"none": "none", "kernel": "kernel", "ftpfw": "cthelper"}
SERVERS = ("vsftpd",)
SCRIPTS = "/srv/ftpfw/labs/vagrant"
PYTHON = "/opt/ftpfw/bin/python"


def main() -> int:
    """Run as the arguments say; the exit code."""
    arguments = read_arguments()
    try:
        with interrupts_unwind(), TemporaryDirectory(prefix="ftpfw-vagrant-") as directory:
            report = run(Path(directory), arguments.servers)
    except LabError as error:
        say(str(error))
        return 1
    print(json.dumps(report.as_json(), indent=2) if arguments.json else table(report))
    return 0 if report.as_expected else 1
