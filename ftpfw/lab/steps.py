"""One step in one column: done, and held against what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ftpfw.lab.clients import running as clients
from ftpfw.lab.clients.commands import PATIENCE, ClientFailed, Errand, Mode, What, cannot
from ftpfw.lab.exercise import Command, Step, Talk, Transfer
from ftpfw.lab.results import Cell, Verdict, last_lines
from ftpfw.lab.stage import DOWNLOAD, UPLOAD, Stage
from ftpfw.lab.talker import BRIEF, Talker

COMMAND_TIMEOUT = 120.0


class Steps:
    """Runs steps on a stage; keeps the control connections that stay between steps."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._sessions: dict[str, Talker] = {}

    def close(self) -> None:
        """Cut the connections that stayed."""
        for talker in self._sessions.values():
            talker.close()

    def run(self, step: Step, number: int) -> Cell:
        """Run a step; ``number`` makes the names of its files its own."""
        expected = step.expected[self.stage.column.name]
        if isinstance(step.action, Transfer) and (reason := self._untriable(step.action)):
            return Cell(Verdict.NOT_APPLICABLE, Verdict.NOT_APPLICABLE, reason=reason)
        clock = time.monotonic()
        try:
            reason = self._do(step, number, BRIEF if expected is Verdict.FAIL else PATIENCE)
            seen = Verdict.FAIL if reason else Verdict.PASS
        except ClientFailed as error:
            reason = last_lines(str(error))
            seen = Verdict.FAIL if error.asked else Verdict.BROKEN
        return Cell(expected, seen, time.monotonic() - clock, reason)

    def _untriable(self, transfer: Transfer) -> str | None:
        version = 6 if ":" in transfer.server else 4
        mode = Mode(transfer.mode)
        reasons = (
            cannot(transfer.client, mode, version, What(what), tls=transfer.tls)
            for what in transfer.what
        )
        return next((reason for reason in reasons if reason), clients.missing(transfer.client))

    def _do(self, step: Step, number: int, patience: float) -> str | None:
        """None, or what was wrong though nothing gave up."""
        match step.action:
            case Transfer() as transfer:
                return self._transfer(transfer, number, patience)
            case Talk() as talk:
                self._talk(talk, step, patience)
                return None
            case Command() as command:
                return self._command(command)

    def _transfer(self, transfer: Transfer, number: int, patience: float) -> str | None:
        stage, server = self.stage, self.stage.column.fill(transfer.server)
        host = stage.hosts[transfer.host]
        own = stage.directory / f"{number}-{transfer.client}-{transfer.mode}"
        mode = Mode(transfer.mode)
        for what in map(What, transfer.what):
            if what is What.DOWN:
                errand = Errand(what, mode, server, DOWNLOAD, own, transfer.tls, patience)
                clients.transfer(transfer.client, host, errand)
                if own.read_bytes() != stage.files[DOWNLOAD]:
                    return "the downloaded file differs"
            else:
                name = f"{own.name}.bin"
                local, remote = stage.directory / UPLOAD, f"incoming/{name}"
                errand = Errand(what, mode, server, remote, local, transfer.tls, patience)
                clients.transfer(transfer.client, host, errand)
                if not self._arrived(name):
                    return "the uploaded file differs"
        return None

    def _arrived(self, name: str) -> bool:
        """Whether a server's directory for uploads holds the whole file."""
        places = [site.incoming / name for site in self.stage.sites.values()]
        content = self.stage.files[UPLOAD]
        return any(path.exists() and path.read_bytes() == content for path in places)

    def _talk(self, talk: Talk, step: Step, patience: float) -> None:
        host = self.stage.hosts[talk.host]
        talker = self._sessions.get(talk.session)
        if talker is None:
            talker = Talker(host, self.stage.column.fill(talk.server), self.stage.files)
        talker.trace = ""
        if talk.session:
            self._sessions[talk.session] = talker
        try:
            talker.say(step.lines, patience)
        finally:
            if not talk.session:
                talker.close()

    def _command(self, command: Command) -> str | None:
        fill = self.stage.column.fill
        environment = {**self.stage.environment(command.host), **self._variables()}
        process = self.stage.hosts[command.host].start(["sh", "-c", fill(command.run)], environment)
        with process:
            try:
                output, _ = process.communicate(timeout=COMMAND_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                return f"it did not end within {COMMAND_TIMEOUT:.0f} s"
        if process.returncode != command.exit:
            return f"exit code {process.returncode}, not {command.exit}\n{last_lines(output)}"
        if command.shows and not re.search(fill(command.shows), output, re.MULTILINE):
            return f"nothing in it matches {command.shows}\n{last_lines(output)}"
        if command.hides and re.search(fill(command.hides), output, re.MULTILINE):
            return f"something in it matches {command.hides}\n{last_lines(output)}"
        return None

    def _variables(self) -> Mapping[str, str]:
        """What commands may use: our ``ftpfw`` first, the exercise's files, the server's."""
        here = str(Path(sys.executable).parent)
        roots = [str(site.root) for site in self.stage.sites.values()]
        return {
            "PATH": f"{here}:{os.environ.get('PATH', '')}",
            "EXERCISE": self.stage.exercise.folder,
            "FILES": str(self.stage.directory),
            "ROOT": roots[0] if roots else "",
        }
