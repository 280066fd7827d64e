"""Vagrant's machines: where they run, brought up, reached, and gone at the end.

On a machine that has a libvirtd or VirtualBox, they run there. On one without a service manager
(a container, a build machine) nothing would start libvirtd, so tools/vagrant/apart runs one in
network, mount and PID namespaces of its own; what the run made goes with them, however it ends.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
KEPT = PROJECT / ".vagrant-lab"
"""Box and Vagrant's own files, for the next run; `make clean` removes it."""
BOX = "ftpfw/lab"
PACKAGES = (
    *("qemu-system-x86", "qemu-utils", "libvirt-daemon-system", "libvirt-clients"),
    *("libvirt-daemon-driver-qemu", "dnsmasq-base", "vagrant", "vagrant-libvirt"),
    *("openssh-client", "rsync", "util-linux"),
)
EMULATED = {"FTPFW_DRIVER": "qemu", "FTPFW_MEMORY": "384", "FTPFW_BOX": BOX}
MADE_OF = ("pyproject.toml", "labs/vagrant/programs", "tools/vagrant/box")
"""What the box is made of: where one is younger, the box is made anew."""
MILESTONES = re.compile(r"^==> \w+: (Starting domain|Machine booted|Rsyncing|Running provisioner)")
TAIL = 30
ENDS_WITHIN = 10.0
"""Seconds for Vagrant to end once it was told to."""


class LabError(Exception):
    """The machines cannot be had; the text says why, and what to do."""


def say(text: str) -> None:
    """Tell how it goes, apart from the table."""
    print(f"vagrant-lab: {text}", file=sys.stderr, flush=True)


def needs_own(environment: Mapping[str, str], *, has_service_manager: bool) -> bool:
    """Whether the lab brings its own libvirtd and box: nobody named one, or could run one."""
    return not environment.get("FTPFW_BOX") and not has_service_manager


@dataclass(frozen=True, slots=True)
class Vagrant:
    """How Vagrant is called: what goes before a command, and its environment."""

    prefix: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path

    def run(self, *arguments: str) -> None:
        """Run Vagrant; milestones are told, all goes to the log. LabError where it fails."""
        argv = [*self.prefix, "vagrant", *arguments]
        lines: list[str] = []
        with self.log.open("a") as log, self._start(argv) as process:
            assert process.stdout is not None
            with ended_with_us(process):
                for line in process.stdout:
                    log.write(line)
                    lines = [*lines[1 - TAIL :], line]
                    if MILESTONES.match(line):
                        say(line.removeprefix("==> ").rstrip(". \n"))
        if process.returncode != 0:
            raise LabError(f"`vagrant {' '.join(arguments)}` failed:\n{''.join(lines).strip()}")

    def output(self, *arguments: str) -> str:
        """What Vagrant prints; LabError where it fails."""
        argv = [*self.prefix, "vagrant", *arguments]
        with self._start(argv) as process, ended_with_us(process):
            output, _ = process.communicate()
        if process.returncode != 0:
            raise LabError(f"`vagrant {' '.join(arguments)}` failed:\n{output.strip()}")
        return output

    def _start(self, argv: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            argv,
            cwd=PROJECT,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,  # Ctrl-C is for this process to hear
        )


@contextmanager
def ended_with_us(process: subprocess.Popen[str]) -> Iterator[None]:
    """End a process and its children where the block does not come to its own end."""
    try:
        yield
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        raise


@contextmanager
def machines(directory: Path) -> Iterator[Vagrant]:
    """The exercise's machines, up and provisioned; destroyed at the end, also of a failure."""
    with ExitStack() as stack:
        if needs_own(os.environ, has_service_manager=Path("/run/systemd/system").exists()):
            vagrant = stack.enter_context(own_vagrant(directory))
        else:
            vagrant = Vagrant((), {}, directory / "vagrant.log")
        stack.callback(_destroy, vagrant)
        say("vagrant up; all it says goes to " + str(vagrant.log))
        vagrant.run("up", "--no-tty")
        yield vagrant


def _destroy(vagrant: Vagrant) -> None:
    say("vagrant destroy")
    vagrant.run("destroy", "--force", "--no-tty")


@contextmanager
def own_vagrant(directory: Path) -> Iterator[Vagrant]:
    """Vagrant beside a libvirtd of its own, with the box that was made here."""
    if os.geteuid() != 0:
        raise LabError(
            "no service manager runs here, so libvirtd must be started: sudo make vagrant-lab"
        )
    say("no service manager here: a libvirtd in namespaces of its own, emulated processors")
    install(PACKAGES)
    box = made_box()
    with apart(directory) as prefix:
        vagrant = Vagrant(
            prefix,
            {
                **{name: value for name, value in EMULATED.items() if name not in os.environ},
                "VAGRANT_HOME": str(KEPT / "home"),
                "VAGRANT_DOTFILE_PATH": str(directory / "state"),
                "VAGRANT_DEFAULT_PROVIDER": "libvirt",
            },
            directory / "vagrant.log",
        )
        vagrant.run("box", "add", "--force", "--name", BOX, str(box))
        yield vagrant


def install(packages: Sequence[str]) -> None:
    """Debian's packages that are missing."""
    script = '. "$0/tools/packages.sh"; install_missing "$@"'
    _do(["sh", "-eu", "-c", script, str(PROJECT), *packages])


def made_box() -> Path:
    """The box, made anew where it is older than what it is made of."""
    box = KEPT / "lab.box"
    if not box.exists() or any(
        (PROJECT / part).stat().st_mtime > box.stat().st_mtime for part in MADE_OF
    ):
        _do(["nice", str(PROJECT / "tools" / "vagrant" / "box"), str(PROJECT), str(box)])
    return box


def _do(argv: Sequence[str]) -> None:
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr) as process:
        try:
            process.wait()
        except BaseException:
            process.terminate()  # it has its own clean-up
            raise
    if process.returncode != 0:
        raise LabError(f"{argv[0]} failed, for the reason above")


@contextmanager
def apart(directory: Path) -> Iterator[tuple[str, ...]]:
    """Namespaces with a libvirtd; what to put before a command that is to run in them."""
    script = PROJECT / "tools" / "vagrant" / "apart"
    complaints = directory / "apart.log"
    unshare = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child")
    with complaints.open("w") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *unshare, "nice", str(script), str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            process_group=0,
        )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise LabError(f"libvirtd did not start:\n{complaints.read_text().strip()}")
        init = _child(process.pid)
        enter = ("nsenter", "--target", init, "--net", "--mount", "--pid")
        yield (*enter, "env", "--chdir", str(PROJECT))
    finally:
        _end(process)


def _child(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0]


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the first process of the PID namespace, which is the end of all in it; unshare waits."""
    with suppress(OSError, IndexError):
        os.kill(int(_child(process.pid)), signal.SIGKILL)
    try:
        process.wait(ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
