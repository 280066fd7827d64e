"""The lab's vsftpd, in a namespace of a test's."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from ftpfw.lab.daemons.configurations import Place
from ftpfw.lab.daemons.running import Site, serving
from ftpfw.lab.hosts import LabHost


def vsftpd(
    namespace: str, address: str, directory: Path, options: Mapping[str, str] | None = None
) -> AbstractContextManager[Site]:
    """Serve ``directory``/root meanwhile; ``options`` are lines of vsftpd.conf."""
    place = Place(address, str(directory / "root"), str(directory), str(directory / "empty"))
    return serving(LabHost("server", namespace), "vsftpd", place, options or {})
