"""Where a loaded gateway keeps its runtime state: /run/ftpfw, or $FTPFW_STATE_DIR.

    lock            held (flock) by ``load`` and ``unload`` while they work
    ftpfw.pid       the helper's pid; locked as long as it lives
    control.sock    answers status requests
    loaded.json     what ``load`` did, for ``unload`` to undo
    helper.log      the helper's messages when it runs in the background

One loaded gateway a network namespace; several on one host have a directory each.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from ftpfw.errors import HostError

DEFAULT = Path("/run/ftpfw")

LONGEST = 90
"""Bytes of a directory's name; a socket's path has 107 (unix(7))."""

WHOSE = "run it with sudo; FTPFW_STATE_DIR, if set, must name a directory"

LOCK_TRIES = 50
LOCK_PAUSE = 0.02
"""A look at a lock (`State.helper_pid`) holds it for an instant: an owner tries for a second."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What ``load`` did. ``netns`` is the inode of the network namespace it did it in.

    ``text`` is what the last of several loads has put in force, ``ports`` are the control
    ports of all of them.
    """

    policy: str  # path of the policy file, absolute
    text: str
    backend: str
    firewall: str
    ports: list[int]
    netns: int
    since: float  # time.time()
    zone: int = 0


def network_namespace(pid: int | str = "self") -> int:
    """The inode that stands for a process's network namespace."""
    return os.stat(f"/proc/{pid}/ns/net").st_ino


@dataclass(frozen=True, slots=True)
class State:
    """The files of one loaded gateway."""

    directory: Path

    @classmethod
    def here(cls) -> State:
        """The state directory of this environment."""
        directory = Path(os.environ.get("FTPFW_STATE_DIR") or DEFAULT)
        if len(os.fsencode(directory)) > LONGEST:
            raise HostError(
                f"the state directory's name is too long for a socket in it: {directory}",
                mend=f"set FTPFW_STATE_DIR to a name of {LONGEST} bytes at most",
            )
        return cls(directory)

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

    @property
    def _lock(self) -> Path:
        return self.directory / "lock"

    def create(self) -> None:
        """Make the directory, readable by its owner alone."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(
                f"cannot make the state directory {self.directory}: {error.strerror}",
                mend="set FTPFW_STATE_DIR to a directory that can be made",
            ) from error

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other loads and unloads out; raise HostError where one is at work.

        A directory that holds nothing at the end is removed.
        """
        file = self._take_lock()
        try:
            yield
        finally:
            self._tidy()
            file.close()

    def _take_lock(self) -> IO[str]:
        """The lock file, held; not one that its holder has just removed (see `_tidy`)."""
        for _ in range(LOCK_TRIES):
            self.create()
            with suppress(FileNotFoundError):
                file = self._lock.open("w")
                taken = _locked(file.fileno(), fcntl.LOCK_EX)
                if taken and _is_at(self._lock, file):
                    return file
                file.close()
                if not taken:
                    raise HostError(
                        f"another load or unload is at work in {self.directory}",
                        mend="wait for it, or set FTPFW_STATE_DIR for a second gateway",
                    )
        raise HostError(f"the lock in {self.directory} comes and goes", mend="try again")

    def _tidy(self) -> None:
        """Remove the lock, still held, and the directory, unless there is something in it."""
        with suppress(OSError):
            if [path.name for path in self.directory.iterdir()] == [self._lock.name]:
                self._lock.unlink()
                self.directory.rmdir()

    def loaded(self) -> Loaded | None:
        """What is loaded; None where nothing is. HostError if it is in another namespace."""
        try:
            loaded = Loaded(**json.loads(self._loaded.read_text()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostError(f"{self._loaded}: {error.strerror}", mend=WHOSE) from error
        except (TypeError, ValueError) as error:
            raise HostError(
                f"{self._loaded} is damaged: {error}",
                mend="delete it; then `ftpfw unload` removes what it finds",
            ) from error
        self._require_here(loaded.netns)
        return loaded

    def _require_here(self, netns: int) -> None:
        if netns != network_namespace():
            raise HostError(
                f"the gateway with state in {self.directory} is in another network namespace",
                mend="go there (ip netns exec), or set FTPFW_STATE_DIR to this one's own",
            )

    def set_loaded(self, loaded: Loaded) -> None:
        """Remember what was loaded, in one step."""
        fresh = self._loaded.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(loaded), indent=2) + "\n")
        fresh.replace(self._loaded)

    def helper_pid(self) -> int | None:
        """The pid of the helper that runs; None where none does, whatever the file says.

        HostError if it runs in another network namespace.
        """
        try:
            with self.pid_file.open() as file:
                if _locked(file.fileno(), fcntl.LOCK_SH):
                    return None
                pid = int(file.read())
        except (FileNotFoundError, ValueError):
            return None
        except OSError as error:
            raise HostError(f"{self.pid_file}: {error.strerror}", mend=WHOSE) from error
        try:
            self._require_here(network_namespace(pid))
        except FileNotFoundError:
            return None
        return pid

    @contextmanager
    def own_pid_file(self) -> Iterator[None]:
        """Hold the pid file while the helper runs; raise HostError if another one does."""
        with self._open_pid_file() as file:
            for _ in range(LOCK_TRIES):
                if _locked(file.fileno(), fcntl.LOCK_EX):
                    break
                time.sleep(LOCK_PAUSE)
            else:
                file.seek(0)
                raise HostError(
                    f"a helper runs already with state in {self.directory} (pid {file.read()})",
                    mend="ftpfw unload ends it; FTPFW_STATE_DIR separates two gateways",
                )
            file.truncate(0)
            self._write_pid(file)
            try:
                yield
            finally:
                self.pid_file.unlink(missing_ok=True)

    def _write_pid(self, file: IO[str]) -> None:
        try:
            file.write(f"{os.getpid()}")
            file.flush()
        except OSError as error:
            with suppress(OSError):
                file.close()  # it tries once more to write what the buffer holds
            self.pid_file.unlink(missing_ok=True)
            raise HostError(
                f"{self.pid_file} cannot be written: {error.strerror}",
                mend="make room there, or set FTPFW_STATE_DIR to another directory",
            ) from error

    def _open_pid_file(self) -> IO[str]:
        try:
            return self.pid_file.open("a+")
        except OSError as error:
            raise HostError(
                f"{self.pid_file}: {error.strerror}",
                mend=f"{self.directory} must belong to the user that the helper runs as, root too: "
                "it has given up root's privileges",
            ) from error

    def remove(self) -> None:
        """Delete every file of ours but the lock, which `changing` removes."""
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


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
