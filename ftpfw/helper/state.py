"""Where a loaded gateway keeps its runtime state: /run/ftpfw, or $FTPFW_STATE_DIR.

    ftpfw.pid       the helper's pid; locked (flock) as long as it lives
    control.sock    answers status requests
    loaded.json     what ``load`` did, for ``unload`` to undo
    helper.log      the helper's messages when it runs in the background

One loaded gateway a network namespace; several on one host have a directory each.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ftpfw.errors import HostError

DEFAULT = Path("/run/ftpfw")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What ``load`` did."""

    policy: str  # path of the policy file, absolute
    digest: str  # sha256 of its text at that time
    backend: str
    firewall: str
    ports: list[int]
    since: float  # time.time()


@dataclass(frozen=True, slots=True)
class State:
    """The files of one loaded gateway."""

    directory: Path

    @classmethod
    def here(cls) -> State:
        """The state directory of this environment."""
        return cls(Path(os.environ.get("FTPFW_STATE_DIR") or DEFAULT))

    @property
    def pid_file(self) -> Path:
        """The helper's pid, locked while it lives."""
        return self.directory / "ftpfw.pid"

    @property
    def control_socket(self) -> Path:
        """Answers status requests."""
        return self.directory / "control.sock"

    @property
    def ready_socket(self) -> Path:
        """Where ``load`` waits for its helper."""
        return self.directory / "ready.sock"

    @property
    def log(self) -> Path:
        """The background helper's messages."""
        return self.directory / "helper.log"

    @property
    def _loaded(self) -> Path:
        return self.directory / "loaded.json"

    def create(self) -> None:
        """Make the directory, readable by root alone."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(
                f"cannot make the state directory {self.directory}: {error.strerror}",
                mend="run as root, or set FTPFW_STATE_DIR to a directory of yours",
            ) from error

    def loaded(self) -> Loaded | None:
        """What is loaded; None where nothing is."""
        try:
            return Loaded(**json.loads(self._loaded.read_text()))
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise HostError(f"{self._loaded}: {error.strerror}", mend="run it with sudo") from error
        except (TypeError, ValueError) as error:
            raise HostError(
                f"{self._loaded} is damaged: {error}",
                mend="ftpfw rules remove POLICY, then delete the file",
            ) from error

    def set_loaded(self, loaded: Loaded) -> None:
        """Remember what was loaded, in one step."""
        fresh = self._loaded.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(loaded), indent=2) + "\n")
        fresh.replace(self._loaded)

    def helper_pid(self) -> int | None:
        """The pid of the helper that runs; None where none does, whatever the file says."""
        try:
            with self.pid_file.open() as file:
                if _lock(file.fileno()):
                    return None
                return int(file.read())
        except (FileNotFoundError, ValueError):
            return None

    @contextmanager
    def own_pid_file(self) -> Iterator[None]:
        """Hold the pid file while the helper runs; raise HostError if another one does."""
        with self.pid_file.open("a+") as file:
            if not _lock(file.fileno()):
                file.seek(0)
                raise HostError(
                    f"a helper runs already with state in {self.directory} (pid {file.read()})",
                    mend="ftpfw unload, or set FTPFW_STATE_DIR for a second gateway",
                )
            file.truncate(0)
            file.write(f"{os.getpid()}")
            file.flush()
            try:
                yield
            finally:
                self.pid_file.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete everything of ours, and the directory if nothing else is in it."""
        for file in (
            self.pid_file,
            self.control_socket,
            self.ready_socket,
            self.log,
            self.log.with_name(self.log.name + ".1"),
            self._loaded,
            self._loaded.with_suffix(".new"),
        ):
            file.unlink(missing_ok=True)
        if self.directory.is_dir() and not any(self.directory.iterdir()):
            self.directory.rmdir()


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
