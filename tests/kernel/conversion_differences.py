"""Where a converted configuration does otherwise than its source did, and why it may.

Either ``convert`` has said so: ``SHOWS`` has, for each setting that it may list, the probes that
can show it. Or the two daemons differ whatever their configuration: ``DIFFERENCES``, strict both
ways, so that what is in no row is an error, and a row that does not come true too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftpfw.server.options import Form
from ftpfw.server.settings import Path

from .server_configurations import A, P, V
from .server_differences import fits

_STORED = (
    "STOR incoming/new",
    "STOR open/new",
    "STOR open/new (100000)",
    "STOR odd name",
    "STOU open",
    "STOU incoming",
    "STOU with a name",
    "APPE open/new",
    "APPE incoming/new",
    "REST and STOR open/new",
    "stored and fetched",
    "stored and fetched, open",
    "stored, renamed",
    "stored, deleted",
    "broken off",
    "STOR open/.rhosts",
    "STOR incoming/.rhosts",
)
"""What leaves a file of one's own."""
_OPEN = tuple(
    name
    for name in _STORED
    if "open" in name or name in {"STOR odd name", "STOU with a name", "broken off"}
) + ("stored, renamed", "stored, deleted")
_REPLACED = ("STOR open/there", "STOR incoming/there")
_FETCHED = (
    "RETR incoming/there",
    "RETR open/there",
    "RETR open/public",
    "stored and fetched",
    "stored and fetched, open",
)

SHOWS: Mapping[Path, tuple[str, ...]] = {
    "active.source_port": ("active source",),
    "anonymous.any_name": ("login as somebody", "USER again", "USER somebody, logged in"),
    "anonymous.dot_files": ("RETR pub/.dot", "STOR open/.rhosts", "STOR incoming/.rhosts"),
    "anonymous.world_readable_only": _FETCHED,
    "anonymous.drop_box.directories": _OPEN,
    "anonymous.drop_box.listed": ("LIST", "MDTM incoming/there"),
    "anonymous.drop_box.owner": _STORED,
    "anonymous.drop_box.owner_mode": _STORED,
    "anonymous.drop_box.readable": (*_FETCHED, "SIZE incoming/there"),
    "anonymous.file_umask": _STORED,
    "anonymous.directory_umask": ("MKD open/d", "MKD incoming/d", "XMKD open/d", "MKD and RMD"),
    "anonymous.rights.append": ("APPE open/there", "APPE incoming/there"),
    "anonymous.rights.chmod": ("SITE CHMOD 777 open/there", "SITE CHMOD 777 incoming/there"),
    "anonymous.rights.delete": ("DELE open/there", "DELE incoming/there", "stored, deleted"),
    "anonymous.rights.overwrite": (*_REPLACED, "APPE open/there", "APPE incoming/there"),
    "anonymous.rights.remove_directory": ("MKD and RMD",),
    "anonymous.rights.rename": (
        "RNFR open/there",
        "RNFR incoming/there",
        "RNFR pub/small",
        "RNTO over a file",
        "stored, renamed",
    ),
    "anonymous.rights.resume": ("REST and STOR open/there", "REST and STOR incoming/there"),
    "anonymous.rights.touch": ("MFMT open/there", "MFMT incoming/there", "MDTM sets"),
    "commands.denied": ("STOU open", "STOU incoming", "STOU with a name"),
    "files.rename_uploads": _REPLACED,
    "listing.depth": ("LIST -R pub",),
    "users.dot_files": ("RETR pub/.dot", "STOR open/.rhosts"),
}
"""Setting → the probes whose answers it can change."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What each of some daemons answers to a probe, in the configurations that begin so."""

    probe: str
    whose: tuple[str, ...]
    says: Mapping[Form, str]
    why: str

    def is_for(self, configuration: str, probe: str, one: Form, other: Form) -> bool:
        if probe != self.probe or not configuration.startswith(self.whose):
            return False
        return self.says.get(one, "") != self.says.get(other, "") and {one, other} <= {*self.says}

    def holds(self, one: Form, said: str, other: Form, answer: str) -> bool:
        return fits(self.says[one], said) and fits(self.says[other], answer)


DIFFERENCES: tuple[Difference, ...] = ()
WU_FTPD_ANSWERS: tuple = ()
