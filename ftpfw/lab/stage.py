"""A column's copy of an exercise: hosts up, gateways loaded, servers ready.

What is raised comes down in reverse, by a stack that the caller owns.
"""

from __future__ import annotations

import random
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ftpfw.errors import HostError
from ftpfw.lab.daemons.configurations import DAEMONS, Place
from ftpfw.lab.daemons.running import Site, serving
from ftpfw.lab.exercise import Column, Exercise, Service
from ftpfw.lab.gateway import Gateway, loaded
from ftpfw.lab.hosts import LabHost, raised
from ftpfw.lab.scripted import scripted

FILE_SIZE = 1 << 20
DOWNLOAD, UPLOAD = "download.bin", "upload.bin"
SEED = 959  # the files are random, and the same in every run
SCRIPTED = "scripted"
SETUP_WITHIN = 30.0


@dataclass(slots=True)
class Stage:
    """A copy that is up. ``sites`` are by address, ``gateways`` by host, ``files`` by name."""

    exercise: Exercise
    column: Column
    directory: Path
    hosts: Mapping[str, LabHost]
    files: Mapping[str, bytes]
    sites: dict[str, Site] = field(default_factory=dict)
    gateways: dict[str, Gateway] = field(default_factory=dict)

    def environment(self, host: str) -> dict[str, str]:
        """What ``ftpfw`` needs to know on a host, and the policy that is loaded there."""
        gateway = self.gateways.get(host)
        if gateway is None:
            return {}
        return {"FTPFW_STATE_DIR": str(gateway.state), "POLICY": str(gateway.policy)}


def contents(size: int) -> dict[str, bytes]:
    """The two files that go down and up: random, and the same in every run."""
    source = random.Random(SEED)  # noqa: S311 -- content to compare, not a secret
    return {name: source.randbytes(size) for name in (DOWNLOAD, UPLOAD)}


@contextmanager
def staged(
    exercise: Exercise, column: Column, directory: Path, copy: str, size: int = FILE_SIZE
) -> Iterator[Stage]:
    """Raise a column's copy; ``directory`` holds its files, its namespaces' names have ``copy``.

    A column's value ``firewall`` is what ``rules apply --backend`` calls the firewall to use.
    ``size`` is that of the two files, in bytes.
    """
    files = contents(size)
    with ExitStack() as stack:
        hosts = stack.enter_context(raised(exercise.topology, copy))
        stage = Stage(exercise, column, directory, hosts, files)
        for name, lines in exercise.setups.items():
            for line in lines:
                _set_up(stage, name, column.fill(line))
        for index, service in enumerate(exercise.services):
            serve(stack, stage, service, directory / f"{service.host}-{index}")
        for name, policy in exercise.policies.items():
            place = directory / name
            place.mkdir()
            text = column.fill(policy)
            stage.gateways[name] = stack.enter_context(
                loaded(hosts[name], text, place, column.values.get("firewall"))
            )
        (directory / UPLOAD).write_bytes(files[UPLOAD])
        yield stage


def _set_up(stage: Stage, host: str, line: str) -> None:
    with stage.hosts[host].start(["sh", "-c", line]) as process:
        try:
            output, _ = process.communicate(timeout=SETUP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    if process.returncode != 0:
        raise HostError(f"`{line}` failed on {host}: {output.strip()}")


def serve(stack: ExitStack, stage: Stage, service: Service, own: Path) -> None:
    """Start a service on a stage, onto a stack; ``own`` is its directory, to be made."""
    daemon = stage.column.fill(service.daemon)
    host, address = stage.hosts[service.host], service.address
    if daemon == SCRIPTED:
        stack.enter_context(scripted(host, address, service.answers, stage.files))
        return
    if daemon not in DAEMONS:
        known = ", ".join((*DAEMONS, SCRIPTED))
        raise HostError(f"{stage.exercise.name}: there is no daemon {daemon}", mend=known)
    own.mkdir()
    own.chmod(0o755)
    options = {key: stage.column.fill(value) for key, value in service.options.items()}
    place = Place(
        address,
        str(own / "root"),
        str(own),
        str(own / "empty"),
        passive=_ports(options.pop("passive", "")),
        public=options.pop("public", None),
        certificate=_certificate(own) if options.pop("tls", "") else None,
    )
    own_options = {
        name.removeprefix(f"{daemon}."): value
        for name, value in options.items()
        if name.startswith(f"{daemon}.")
    }
    site = stack.enter_context(serving(host, daemon, place, own_options))
    site.publish(DOWNLOAD, stage.files[DOWNLOAD])
    stage.sites[address] = site


def _ports(text: str) -> tuple[int, int] | None:
    first, _, last = text.partition("-")
    return (int(first), int(last)) if text else None


def _certificate(directory: Path) -> str:
    """A self-signed certificate with its key in one PEM file, by openssl-req(1)."""
    file = directory / "certificate.pem"
    key = directory / "key.pem"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    about = ("-nodes", "-subj", "/CN=lab", "-days", "2")
    places = ("-keyout", str(key), "-out", str(file))
    subprocess.run(
        ["openssl", "req", "-x509", *curve, *about, *places], check=True, capture_output=True
    )
    file.write_text(key.read_text() + file.read_text())
    key.unlink()
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
    return str(file)
