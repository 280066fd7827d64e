"""The audit of a server's configuration, alone and against the firewall's policy.

Findings come from four places: the rows of ``checks``, the traps that the reader met, the
daemon's defaults that its manual has wrong, and what policy and configuration say of each other.
Options that only their daemon understands are findings too: nobody has judged them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ftpfw.ruleset.policy import Backend, Policy, Server
from ftpfw.server.checks import CHECKS, WIDE, Check, Severity
from ftpfw.server.forms import TABLES, WRITERS, amends
from ftpfw.server.options import Option, Reading
from ftpfw.server.settings import (
    Daemon,
    Origin,
    Path,
    Settings,
    Start,
    TlsLevel,
    changed,
    matters,
    settled,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, where, why that matters, and the line that mends it."""

    id: str
    severity: Severity
    origin: Origin
    what: str
    why: str
    mend: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding that is found by more than looking at settings."""

    severity: Severity
    what: str
    why: str


OTHERS = {
    "wu-ftpd": Kind(
        Severity.ERROR,
        "it is wu-ftpd",
        "known holes of it let anybody become root",
    ),
    "auto-rename-append": Kind(
        Severity.ERROR,
        "AutoRename with anonymous uploads",
        "uploads of others can be replaced",
    ),
    "keep-all-files": Kind(
        Severity.WARNING,
        "KeepAllFiles keeps from deleting alone",
        "the option promises more than it does",
    ),
    "rest-deletes": Kind(
        Severity.ERROR,
        "anonymous uploads on Pure-FTPd",
        "anybody can empty the drop box, name by name",
    ),
    "order-lets-in": Kind(
        Severity.ERROR,
        "a limit that allows some and denies nobody",
        "it is there, and does nothing",
    ),
    "address-not-bound": Kind(
        Severity.WARNING,
        "DefaultAddress without SocketBindTight",
        "the server is reachable where nobody expects it",
    ),
    "user-owner-without-passwd": Kind(
        Severity.WARNING,
        "UserOwner without PersistentPasswd",
        "uploads stay with the user of anonymous sessions, which can fetch them",
    ),
    "directory-overwrite": Kind(
        Severity.ERROR,
        "AllowOverwrite in one directory",
        "uploads of others can be replaced there",
    ),
    "copy-engine": Kind(
        Severity.ERROR,
        "mod_copy is loaded and on",
        "files can be read and written by name, past other limits",
    ),
    "undocumented-default": Kind(
        Severity.NOTE,
        "a default that the manual has wrong",
        "who trusts the manual is mistaken",
    ),
    "not-judged": Kind(
        Severity.NOTE,
        "an option that is in no setting",
        "it may allow or forbid what the findings are about",
    ),
    "passive-narrow": Kind(
        Severity.WARNING,
        "fewer passive ports than sessions",
        "clients are turned away, or worse",
    ),
    "firewall-unpublished": Kind(
        Severity.ERROR,
        "the policy does not publish the server",
        "no rule lets anybody reach it",
    ),
    "firewall-port": Kind(
        Severity.ERROR,
        "the policy publishes another port",
        "the firewall opens a port that nobody listens on",
    ),
    "firewall-ports-closed": Kind(
        Severity.ERROR,
        "passive ports that the policy leaves shut",
        "data connections to them are dropped",
    ),
    "firewall-ports-missing": Kind(
        Severity.ERROR,
        "the policy needs passive_ports and has none",
        "no data connection of FTPS gets through",
    ),
    "firewall-ports-wide": Kind(
        Severity.WARNING,
        "the policy opens more than the passive ports",
        "open ports that nobody uses are for others",
    ),
    "announced-address": Kind(
        Severity.ERROR,
        "the address in the 227 reply is of no server",
        "clients connect to where it is not",
    ),
    "announced-private": Kind(
        Severity.WARNING,
        "the inner address is announced inside TLS",
        "there nobody on the way can put it right",
    ),
}
"""What no row of `CHECKS` stands for."""


def audit(reading: Reading, policy: Policy | None = None) -> tuple[Finding, ...]:
    """Every finding, the worst first, and of those alike by their place."""
    found = [
        *_of_checks(reading),
        *_of_traps(reading),
        *_of_pure_ftpd(reading),
        *_of_defaults(reading),
        *_of_range(reading),
        *_not_judged(reading),
        *(against(reading, policy) if policy else ()),
    ]
    order = list(reversed(Severity))
    return tuple(
        sorted(found, key=lambda one: (order.index(one.severity), one.origin.line or 0, one.id))
    )


def _of_checks(reading: Reading) -> Iterator[Finding]:
    for check in CHECKS:
        if check.holds(reading.settings):
            where = _where(reading, check.paths)
            mend = _mend(reading, check)
            yield Finding(check.id, check.severity, where, check.what, check.why, mend)


def _where(reading: Reading, paths: tuple[Path, ...]) -> Origin:
    """The first line that is to blame, else the first thing that could have said otherwise."""
    own = Origin(reading.file)
    origins = [reading.settings.origins.get(path, own) for path in paths]
    return next((origin for origin in origins if origin.line), origins[0])


def _mend(reading: Reading, check: Check) -> str:
    """The lines of the daemon that put it right, as few as will do."""
    settings = reading.settings
    for count in range(1, len(check.right) + 1):
        right = dict(list(check.right.items())[:count])
        lines = amends(settings, right, reading.form)
        if lines and not check.holds(_said(reading, changed(settings, right))):
            return "; ".join(lines)
    return check.otherwise or f"{reading.daemon} has no setting for it"


def _said(reading: Reading, wanted: Settings) -> Settings:
    """What the daemon would do if it was told so."""
    missing = WRITERS[reading.form](wanted).unexpressed
    return settled(changed(wanted, {one.path: one.instead for one in missing}))


def _of_traps(reading: Reading) -> Iterator[Finding]:
    for trap in reading.traps:
        yield _other(trap.id, trap.origin, trap.what, trap.mend)


def _of_pure_ftpd(reading: Reading) -> Iterator[Finding]:
    """What Pure-FTPd does to uploads, whatever its options are."""
    anonymous = reading.settings.anonymous
    if reading.daemon is Daemon.PURE_FTPD and anonymous.enabled and anonymous.rights.upload:
        yield _other(
            "rest-deletes",
            _where(reading, ("anonymous.rights.upload",)),
            "REST before STOR of a file that exists is refused, but deletes it (measured: 1.0.50)",
            "; ".join(amends(reading.settings, {"anonymous.rights.upload": False}, reading.form))
            + ", or move uploads away as they come",
        )


def _of_defaults(reading: Reading) -> Iterator[Finding]:
    """Options that are not given, whose default the manual has wrong."""
    given = {one.option.name for one in reading.given}
    for row in TABLES[reading.daemon]:
        if row.documented and row.name not in given and _counts(reading.settings, row):
            default = row.default or f"not {row.documented}"
            yield _other(
                "undocumented-default",
                Origin(reading.file, None, row.name),
                f"{row.name} is {default} by default; the manual says {row.documented}",
                f"write {row.name} out",
            )


def _counts(settings: Settings, row: Option) -> bool:
    return any(matters(settings, path) for path in row.paths)


_WHEN_FULL = {
    Daemon.VSFTPD: "vsftpd ends a session that finds no port",
    Daemon.PURE_FTPD: "Pure-FTPd allows half as many sessions as there are ports",
    Daemon.PROFTPD: "ProFTPD takes a random port outside of the range, which the firewall drops",
    Daemon.WU_FTPD: "a session that finds no port fails",
}


def _of_range(reading: Reading) -> Iterator[Finding]:
    """A range of passive ports for fewer sessions than are allowed."""
    settings = reading.settings
    ports = settings.passive.ports
    if ports is None or not settings.passive.enabled or settings.listen.start is Start.INETD:
        return
    clients = settings.limits.clients
    if reading.daemon is Daemon.PURE_FTPD:
        said = [one.text for one in reading.given if one.option.name == "MaxClientsNumber"]
        clients = 2 * int(said[0] if said else "50")
    if clients is None or len(ports) < clients:
        allowed = "any number of" if clients is None else str(clients)
        if reading.daemon is Daemon.PURE_FTPD and clients is not None:
            allowed = str(clients // 2)
        yield _other(
            "passive-narrow",
            _where(reading, ("passive.ports",)),
            f"{len(ports)} passive ports for {allowed} sessions: {_WHEN_FULL[reading.daemon]}",
            _wider(reading, clients),
        )


def _wider(reading: Reading, wanted: int | None) -> str:
    ports = reading.settings.passive.ports
    assert ports is not None
    if wanted is None or wanted > WIDE:
        lines = amends(reading.settings, {"limits.clients": len(ports)}, reading.form)
    else:
        first = min(ports.start, 65536 - wanted)
        changes = {"passive.ports": range(first, first + wanted)}
        lines = amends(reading.settings, changes, reading.form)
    return "; ".join(lines) or "a wider range"


def _not_judged(reading: Reading) -> Iterator[Finding]:
    for one in reading.refused():
        yield _other(
            "not-judged",
            one.origin,
            f"{one.option.name} {one.text}".strip()
            + f": {one.option.what}, which is not judged here",
            "look at it yourself",
        )


def against(reading: Reading, policy: Policy) -> Iterator[Finding]:
    """What a server's configuration and its firewall's policy say of each other."""
    settings = reading.settings
    here = settings.listen.addresses
    near = [
        (index, server)
        for index, server in enumerate(policy.servers)
        if not here or {server.address, server.public} & {*here}
    ]
    if not near:
        where = Origin(policy.source.file, policy.source.line(("server",)))
        what = "the policy publishes no server at an address of this one"
        yield _other("firewall-unpublished", where, what, _table_of_server(settings))
        return
    mine = [(index, server) for index, server in near if server.port == settings.listen.port]
    if not mine:
        index, server = near[0]
        where = Origin(policy.source.file, policy.source.line(("server", index, "port")))
        port = settings.listen.port
        what = f"the policy publishes port {server.port}, the server listens on {port}"
        yield _other("firewall-port", where, what, f"port = {port}")
        return
    yield from _passive(reading, policy, *mine[0])
    yield from _announced(reading, mine[0][1])


def _table_of_server(settings: Settings) -> str:
    address = settings.listen.addresses[0] if settings.listen.addresses else "ADDRESS"
    return f'[[server]] address = "{address}" port = {settings.listen.port}'


def _passive(reading: Reading, policy: Policy, index: int, server: Server) -> Iterator[Finding]:
    """The passive ports on both sides, where the firewall has to know them beforehand."""
    settings, opened = reading.settings, server.passive_ports
    ports = settings.passive.ports
    where = Origin(policy.source.file, policy.source.line(("server", index, "passive_ports")))
    if not settings.passive.enabled:
        return
    wanted = f'passive_ports = "{ports.start}-{ports.stop - 1}"' if ports else "pin a range first"
    if opened is None:
        if speaks_tls(settings) or policy.helper.backend is Backend.NONE:
            what = "the policy names no passive_ports, and nothing else tells it which to open"
            yield _other("firewall-ports-missing", where, what, wanted)
    elif ports is None or not _within(ports, opened):
        used = "any port" if ports is None else f"{ports.start}-{ports.stop - 1}"
        what = f"the server uses {used}, the policy opens {opened.start}-{opened.stop - 1}"
        yield _other("firewall-ports-closed", where, what, wanted)
    elif opened != ports:
        what = f"the policy opens {len(opened)} ports, of which the server uses {len(ports)}"
        yield _other("firewall-ports-wide", where, what, wanted)


def _within(ports: range, opened: range) -> bool:
    return opened.start <= ports.start and ports.stop <= opened.stop


def _announced(reading: Reading, server: Server) -> Iterator[Finding]:
    """The address in the 227 reply, which the firewall can put right outside of TLS alone."""
    settings = reading.settings
    announced = settings.passive.announced
    if not settings.passive.enabled or isinstance(announced, str):
        return
    where = _where(reading, ("passive.announced",))
    mend = "; ".join(amends(settings, {"passive.announced": server.public}, reading.form))
    if announced is not None and announced not in {server.address, server.public}:
        what = f"{announced} is announced; the server is {server.address}, outside {server.public}"
        yield _other("announced-address", where, what, mend)
    elif speaks_tls(settings) and server.public not in {announced, server.address}:
        what = (
            f"{announced or server.address} is announced inside TLS; outside it is {server.public}"
        )
        yield _other("announced-private", where, what, mend)


def speaks_tls(settings: Settings) -> bool:
    """Whether any session can be inside TLS."""
    return {settings.tls.users, settings.tls.anonymous} != {TlsLevel.OFF}


def _other(id_: str, where: Origin, what: str, mend: str) -> Finding:
    kind = OTHERS[id_]
    return Finding(id_, kind.severity, where, what, kind.why, mend)
