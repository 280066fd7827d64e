"""The embedded server beside vsftpd, Pure-FTPd and ProFTPD, in one run, as root.

Each server has a network namespace of its own, and each round asks all of them for the same,
in another order. Ratios are taken within a round, medians over the rounds: what the machine does
meanwhile hits all. The client is one thread, whose own time is part of every rate; the second table
has what the processor did for the server alone, which other load disturbs least.

    python -m tests.bench.serving [ROUNDS]
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from statistics import median, quantiles

from ftpfw.cli.output import echo_table
from ftpfw.server.options import Form
from ftpfw.server.recipes import Place, Purpose, Recipe, make
from tests.kernel.conftest import made_namespaces
from tests.kernel.ftp_servers import serving
from tests.kernel.netns import inside
from tests.kernel.served import serve

HERE = "127.0.0.1"
PORT = 21
OURS, RIVAL = "ftpfw serve", "vsftpd"
SMALL, LARGE_MIB = 4096, 64
"""Larger files take memory that a virtual machine's host may first have to find."""

SESSIONS, FETCHES, IDLE = 25, 400, 200
PATIENCE = 30.0
TICK = os.sysconf("SC_CLK_TCK")
CLONE_PLACE = Place("/srv/ftp", ip_address(HERE), PORT)

UNLIMITED: Mapping[Form, tuple[tuple[str, str], ...]] = {
    Form.VSFTPD: (
        (r"max_clients=\d+", "max_clients=0"),
        (r"max_per_ip=\d+", "max_per_ip=0"),
        (r"anon_max_rate=\d+", "anon_max_rate=0"),
    ),
    Form.PURE_ARGS: (
        (r"-c \d+", "-c 500"),
        (r"-C \d+", "-C 500"),
        (r"-p \S+", "-p 60000:61199"),
        (r"-t \S+", ""),
    ),
    Form.PROFTPD: (
        (r"MaxClients \d+", "MaxClients 500"),
        (r"MaxConnectionsPerHost \d+", "MaxConnectionsPerHost 500"),
        (r"MaxInstances \d+", "MaxInstances 500"),
        (r"TransferRate .*", ""),
    ),
}


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server: where it is, and what its processes descend from."""

    namespace: str
    pid: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one workload, how much was done, in what time, and in how much of the processor's."""

    done: float
    seconds: float
    used: float

    @property
    def rate(self) -> float:
        return self.done / self.seconds


Outcomes = dict[tuple[str, str], list[Outcome]]
"""By workload and server, one a round."""


class Client:
    """A session, as lean as can be."""

    def __init__(self) -> None:
        self.socket = socket.create_connection((HERE, PORT), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""
        self.reply()
        for command in (b"USER anonymous", b"PASS x@", b"TYPE I"):
            self.ask(command)

    def reply(self) -> bytes:
        """The last line of a reply."""
        while True:
            while b"\n" not in self._left:
                chunk = self.socket.recv(4096)
                if not chunk:
                    raise ConnectionError("the server has ended the session")
                self._left += chunk
            line, _, self._left = self._left.partition(b"\n")
            if line[3:4] == b" " and line[:3].isdigit():
                return line

    def ask(self, command: bytes) -> bytes:
        self.socket.sendall(command + b"\r\n")
        return self.reply()

    def data(self) -> socket.socket:
        port = int(self.ask(b"EPSV").split(b"|")[3])
        return socket.create_connection((HERE, port), PATIENCE)

    def fetch(self, name: bytes, buffer: bytearray) -> int:
        with self.data() as data:
            self.ask(b"RETR " + name)
            received = 0
            while count := data.recv_into(buffer):
                received += count
        self.reply()
        return received

    def store(self, name: bytes, content: bytes) -> None:
        with self.data() as data:
            self.ask(b"STOR " + name)
            data.sendall(content)
        assert self.reply().startswith(b"226")

    def quit(self) -> None:
        self.ask(b"QUIT")
        self.socket.close()


def sessions() -> float:
    for _ in range(SESSIONS):
        Client().quit()
    return SESSIONS


def fetches() -> float:
    client, buffer = Client(), bytearray(1 << 16)
    for _ in range(FETCHES):
        assert client.fetch(b"pub/small.bin", buffer) == SMALL
    client.quit()
    return FETCHES


def download() -> float:
    client = Client()
    assert client.fetch(b"pub/large.bin", bytearray(1 << 20)) == LARGE_MIB << 20
    client.quit()
    return LARGE_MIB


def upload() -> float:
    client = Client()
    client.store(f"incoming/{time.monotonic_ns()}".encode(), bytes(LARGE_MIB << 20))
    client.quit()
    return LARGE_MIB


WORKLOADS: Mapping[str, Callable[[], float]] = {
    "sessions/s": sessions,
    "4 KiB files/s": fetches,
    "MiB/s down": download,
    "MiB/s up": upload,
}


UNITS = ("a session", "a 4 KiB file", "a MiB down", "a MiB up")


@contextmanager
def contestants(directory: Path) -> Iterator[dict[str, tuple[Contestant, Path]]]:
    """Every server that is installed; each is ready."""
    with made_namespaces() as namespaces, ExitStack() as stack:
        found: dict[str, tuple[Contestant, Path]] = {}
        for form in (Form.VSFTPD, Form.PURE_ARGS, Form.PROFTPD):
            name = str(form).removesuffix("-args")
            namespace = namespaces.create(name)
            place = directory / name
            place.mkdir()
            recipe = make(Purpose.DROP_BOX, form, CLONE_PLACE)
            srv = stack.enter_context(serving(namespace, form, unlimited(recipe, form), place))
            found[name] = (Contestant(namespace, child_with(str(place))), srv / "ftp")
        namespace = namespaces.create("ours")
        root = directory / "ours" / "ftp"
        (root / "pub").mkdir(parents=True)
        limits = ("--quota", "64G", "--upload-rate", "0")
        clients = ("--max-clients", "500", "--max-per-address", "500")
        one = stack.enter_context(
            serve(
                root,
                *("--root", str(root), "--upload", *limits, *clients),
                prefix=("ip", "netns", "exec", namespace),
                listen=("--address", HERE, "--port", str(PORT)),
            )
        )
        found[OURS] = (Contestant(namespace, one.process.pid), root)
        for _, root in found.values():
            fill(root)
        yield found


def unlimited(recipe: Recipe, form: Form) -> Recipe:
    """The same without a bound on sessions and speed."""
    text = recipe.configuration
    for pattern, value in UNLIMITED[form]:
        text = re.sub(pattern, value, text)
    return replace(recipe, configuration=text)


def fill(root: Path) -> None:
    (root / "pub" / "small.bin").write_bytes(os.urandom(SMALL))
    (root / "pub" / "large.bin").write_bytes(bytes(LARGE_MIB << 20))
    for path in (root, *root.rglob("*.bin"), root / "pub"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def child_with(text: str) -> int:
    """The pid of our child whose command line has a text."""
    me = os.getpid()
    for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split():
        if text in Path(f"/proc/{pid}/cmdline").read_text():
            return int(pid)
    raise AssertionError(text)


def descendants(pid: int) -> Iterator[int]:
    """It and all that descend from it, but for those that end meanwhile."""
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):
        for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in tasks.read_text().split():
                yield from descendants(int(child))


def memory_kib(pid: int) -> int:
    """Proportional set size of a process and all that descend from it."""
    total = 0
    for one in descendants(pid):
        rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)[1])  # type: ignore[index]
    return total


def processor_seconds(pid: int) -> float:
    """User and system time of a process and all that descend from it, the ended ones too.

    Fields 14 to 17 of /proc/PID/stat (proc_pid_stat(5)).
    """
    ticks = 0
    for one in descendants(pid):
        behind_name = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, behind_name[11:15]))
    return ticks / TICK


def idle_memory(contestant: Contestant) -> float:
    """KiB that one idle session takes, of IDLE."""
    before = memory_kib(contestant.pid)
    clients = inside(contestant.namespace, lambda: [Client() for _ in range(IDLE)])
    after = memory_kib(contestant.pid)
    for client in clients:
        client.socket.close()
    return (after - before) / IDLE


def await_only(processes: set[int], pid: int) -> None:
    """Wait until the processes of the sessions have ended, and are counted with their parent's."""
    end = time.monotonic() + PATIENCE
    while set(descendants(pid)) - processes:
        assert time.monotonic() < end, "processes of ended sessions live on"
        time.sleep(0.005)


def timed(contestant: Contestant, work: Callable[[], float]) -> Outcome:
    def body() -> Outcome:
        before = set(descendants(contestant.pid))
        used, began = processor_seconds(contestant.pid), time.perf_counter()
        done = work()
        seconds = time.perf_counter() - began
        await_only(before, contestant.pid)
        return Outcome(done, seconds, processor_seconds(contestant.pid) - used)

    return inside(contestant.namespace, body)


def main(rounds: int) -> None:
    outcomes: Outcomes = {}
    with tempfile.TemporaryDirectory(prefix="ftpfw-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with contestants(directory) as found:
            names = [*found]
            for number in range(rounds):
                for workload, work in WORKLOADS.items():
                    turn = number % len(names)
                    for server in names[turn:] + names[:turn]:
                        outcome = timed(found[server][0], work)
                        outcomes.setdefault((workload, server), []).append(outcome)
                        for path in (found[server][1] / "incoming").glob("*"):
                            path.unlink()
            memory = {server: idle_memory(one) for server, (one, _) in found.items()}
    report(names, outcomes, memory, rounds)


def report(names: list[str], outcomes: Outcomes, memory: Mapping[str, float], rounds: int) -> None:
    columns = ["", *names, f"{OURS}/{RIVAL}"]
    rows = [rates(workload, names, outcomes) for workload in WORKLOADS]
    rows.append([*row("KiB a session", names, memory, memory[OURS] / memory[RIVAL]), ""])
    title = f"medians and quartiles of {rounds} rounds; {IDLE} idle sessions"
    echo_table(title, [*columns, ""], rows)
    costs = [cost(*each, names, outcomes) for each in zip(WORKLOADS, UNITS, strict=True)]
    echo_table("microseconds of the processor, for the server alone", columns, costs)


def rates(workload: str, names: list[str], outcomes: Outcomes) -> list[str]:
    """Medians, the median of the ratios within rounds, and the quartiles of those."""
    by_name = {name: [one.rate for one in outcomes[workload, name]] for name in names}
    pairs = zip(by_name[OURS], by_name[RIVAL], strict=True)
    low, middle, high = quantiles([ours / rival for ours, rival in pairs], method="inclusive")
    medians = {name: median(each) for name, each in by_name.items()}
    return [*row(workload, names, medians, middle), f"{low:.2f}-{high:.2f}"]


def cost(workload: str, unit: str, names: list[str], outcomes: Outcomes) -> list[str]:
    """Of all rounds together, since a tick is long for one."""
    by_name = {}
    for name in names:
        all_rounds = outcomes[workload, name]
        used, done = sum(one.used for one in all_rounds), sum(one.done for one in all_rounds)
        by_name[name] = used / done * 1e6
    return row(unit, names, by_name, by_name[OURS] / by_name[RIVAL])


def row(title: str, names: list[str], values: Mapping[str, float], ratio: float) -> list[str]:
    return [title, *(f"{values[name]:.0f}" for name in names), f"{ratio:.2f}"]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
