"""Run a command on a distribution kernel: boots it in qemu, with this host's files.

    run.py [--cpus N] [--memory MIB] DIRECTORY -- COMMAND...

DIRECTORY is what tools/vm/setup made. The command runs as root, in the current directory, under
Debian's systemd; its output comes as it is written, and its exit code is the one of this program.
The host's files are read-only in the guest, under an overlay in its memory: what is written there
is gone afterwards. The guest has no network. Every instruction is emulated: what computes takes
20 times as long, and a second processor makes each of them slower.

Exit code 125 says that the guest did not run the command to its end.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from tempfile import TemporaryDirectory

NOT_RUN = 125
BOOT_WITHIN = 300.0
"""Seconds until a guest from which nothing has come counts as stuck."""
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TERM")
VIRTIOFSD = ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")
# A mount namespace of its own keeps even a guest gone wrong from writing to the host.
READ_ONLY = """
findmnt --raw --noheadings --output TARGET | while read -r place; do
    mount -o remount,bind,ro "$place"
done 2>/dev/null
findmnt --noheadings --output OPTIONS / | grep -q '^ro' || exit 1
exec "$@"
"""


class VmError(Exception):
    """The guest cannot be started, or ended before the command did."""


def main() -> int:
    """Run as the arguments say; the exit code."""
    arguments = read_arguments()
    # Ends like an exit, so that whatever was started ends too; also where a shell that starts
    # it in the background has Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        with ExitStack() as stack:
            return run(stack, arguments)
    except VmError as error:
        say(str(error))
        return NOT_RUN


def read_arguments() -> argparse.Namespace:
    """What the command line says; exits with 2 where it says nothing sensible."""
    parser = argparse.ArgumentParser(usage=(__doc__ or "").splitlines()[2].strip())
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--memory", type=int, default=2048)
    parser.add_argument("directory", type=Path)
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def say(text: str) -> None:
    """Tell how it goes, apart from what the command writes."""
    print(f"vm: {text}", file=sys.stderr, flush=True)


def run(stack: ExitStack, arguments: argparse.Namespace) -> int:
    """Boot, run the command and wait for its end; its exit code."""
    tree = arguments.directory.resolve()
    version = kernel_version(tree)
    require_root_and_programs()
    scratch = Path(stack.enter_context(TemporaryDirectory(prefix="ftpfw-vm-")))
    (scratch / "command").write_text(script(arguments.command))
    share = scratch / "share"
    ports = {name: stack.enter_context(pipe()) for name in ("output", "status", "console")}
    ends = {name: end for name, (_, end) in ports.items()}
    stack.enter_context(files_server(share, complaints=ends["console"]))
    command = [
        *qemu(arguments.cpus, arguments.memory, share, ends),
        *("-kernel", f"{tree}/kernel/boot/vmlinuz-{version}", "-initrd", f"{tree}/initrd"),
        *("-append", kernel_line(scratch, f"{tree}/kernel/lib/modules/{version}")),
    ]
    say(f"booting Linux {version} (processors: {arguments.cpus}, {arguments.memory} MiB) ...")
    stack.enter_context(started(command, pass_fds=ends.values()))
    for end in ends.values():
        os.close(end)
    return Watch(**{name: reader for name, (reader, _) in ports.items()}).until_it_ends()


def kernel_version(tree: Path) -> str:
    """The version of the one kernel that was set up."""
    found = list(tree.glob("kernel/lib/modules/*"))
    if len(found) != 1 or not (tree / "initrd").exists():
        raise VmError(f"{tree} has no kernel: run tools/vm/setup {tree}")
    return found[0].name


def require_root_and_programs() -> None:
    """Refuse to start where something is missing."""
    if os.geteuid() != 0:
        raise VmError("needs root, to serve this host's files")
    for program in ("qemu-system-x86_64", "setpriv", "unshare", "findmnt"):
        if not shutil.which(program):
            raise VmError(f"needs the program {program}: run tools/vm/setup")


def script(command: Sequence[str]) -> str:
    """What the guest's service runs; reports `up` and `exit N` through the port named status."""
    kept = (name for name in os.environ if name in PASSED_ON or name.startswith("FTPFW_"))
    return "\n".join(
        [
            f"cd {shlex.quote(os.getcwd())}",
            *(f"export {name}={shlex.quote(os.environ[name])}" for name in kept),
            "export HOME=/root",
            "ip link set lo up",
            "echo up >/run/vm/status",
            f"{{ {shlex.join(command)}; echo $? >/run/vm/exit; }} </dev/null 2>&1 |",
            "    cat >/run/vm/output",
            'echo "exit $(cat /run/vm/exit)" >/run/vm/status',
            "exec systemctl poweroff --force --force",
            "",
        ]
    )


def kernel_line(scratch: Path, modules: str) -> str:
    """The kernel's command line; what it does not know becomes the environment of tools/vm/init."""
    return " ".join(
        [
            "console=ttyS0 quiet panic=-1 nowatchdog random.trust_cpu=on",
            # The code of a program is translated anew at each address that it is loaded to.
            "norandmaps mitigations=off",
            "systemd.unit=vm.target systemd.show_status=no systemd.gpt_auto=no",
            f"RUN={scratch} MODULES={modules}",
        ]
    )


def qemu(cpus: int, memory: int, share: Path, ports: dict[str, int]) -> list[str]:
    """A machine that gets the host's files from the socket ``share``.

    ``ports`` are the descriptors that it writes to, by name.
    """
    files = (f"file,id={name},path=/proc/self/fd/{end}" for name, end in ports.items())
    return [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"),
        *("-smp", str(cpus), "-m", str(memory)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-serial", "chardev:console", "-device", "virtio-rng-pci"),
        # virtiofs reads from and writes to the guest's memory.
        *("-object", f"memory-backend-memfd,id=memory,size={memory}M,share=on"),
        *("-numa", "node,memdev=memory"),
        *("-chardev", f"socket,id=host,path={share}"),
        *("-device", "vhost-user-fs-pci,chardev=host,tag=host"),
        *("-device", "virtio-serial-pci"),
        *("-device", "virtserialport,chardev=output,name=output"),
        *("-device", "virtserialport,chardev=status,name=status"),
        *(word for file in files for word in ("-chardev", file)),
    ]


@contextmanager
def files_server(share: Path, complaints: int) -> Iterator[None]:
    """Serve this host's files on a socket, from a mount namespace in which none can be written."""
    server = next((path for path in VIRTIOFSD if os.access(path, os.X_OK)), None)
    if server is None:
        raise VmError("needs the program virtiofsd: run tools/vm/setup")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(share))
        listener.listen(1)
        descriptor = listener.fileno()
        options = f"--fd={descriptor} -o source=/ -o cache=always -o sandbox=chroot"
        command = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh", server]
        with started([*command, *options.split()], pass_fds=[descriptor], stderr=complaints):
            listener.close()
            yield


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Two ends; the reader's is closed at the end, the writer's is its user's to close."""
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)


@contextmanager
def started(
    command: Sequence[str], *, pass_fds: Collection[int], stderr: int | None = None
) -> Iterator[None]:
    """A process that ends with the block, and with this process however that ends."""
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=pass_fds,
        start_new_session=True,  # Ctrl-C is for this process to hear
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


class Watch:
    """Passes on what the command writes until the guest has ended."""

    def __init__(self, output: int, status: int, console: int) -> None:
        self._heard: dict[int, bytes] = {output: b"", status: b"", console: b""}
        self._output = output
        self._status = status
        self._console = console

    def until_it_ends(self) -> int:
        """The exit code of the command; VmError where it has none."""
        began = time.monotonic()
        is_up = False
        with DefaultSelector() as selector:
            for descriptor in self._heard:
                selector.register(descriptor, EVENT_READ)
            while selector.get_map():
                wait = None if is_up else max(0.0, began + BOOT_WITHIN - time.monotonic())
                ready = selector.select(wait)
                if not ready:
                    raise VmError(f"the guest is not up after {BOOT_WITHIN:.0f} s{self._tail()}")
                for key, _ in ready:
                    if not self._hear(key.fd):
                        selector.unregister(key.fd)
                if not is_up and self._heard[self._status]:
                    is_up = True
                    say(f"up after {time.monotonic() - began:.0f} s")
        return self._exit_code()

    def _hear(self, descriptor: int) -> bool:
        heard = os.read(descriptor, 65536)
        if descriptor == self._output:
            sys.stdout.buffer.write(heard)
            sys.stdout.buffer.flush()
        else:
            self._heard[descriptor] += heard
        return bool(heard)

    def _exit_code(self) -> int:
        last = self._heard[self._status].split(b"\n")[-2:-1]
        if not last or not last[0].startswith(b"exit "):
            raise VmError(f"the guest ended before the command did{self._tail()}")
        return int(last[0].removeprefix(b"exit "))

    def _tail(self) -> str:
        lines = self._heard[self._console].decode(errors="replace").splitlines()
        return "; its console:" + "".join(f"\n    {line}" for line in lines[-30:])


if __name__ == "__main__":
    sys.exit(main())
