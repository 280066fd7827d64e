"""``ftpfw serve``: the embedded FTP server, in the foreground."""

from __future__ import annotations

import logging
import os
import pwd
import re
import resource
import signal
import socket
import sys
import syslog
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from ftpfw.cli.configuration import note, open_configuration
from ftpfw.errors import ConfigError, FtpfwError
from ftpfw.helper.eventloop import EventLoop
from ftpfw.helper.notify import READY, STOPPING, notify, reloading
from ftpfw.server.embedded.certificate import keep
from ftpfw.server.embedded.listeners import (
    described,
    inherited,
    is_listening,
    spare_connection,
    standard_input,
)
from ftpfw.server.embedded.loop import signals
from ftpfw.server.embedded.master import Master, pid_file
from ftpfw.server.embedded.obeyed import notices, sort_given
from ftpfw.server.embedded.own import Wish, asked, base, drop_box
from ftpfw.server.embedded.site import Site
from ftpfw.server.embedded.site import described as remarks
from ftpfw.server.options import Form, Reading
from ftpfw.server.pureftpd.reader import read_args
from ftpfw.server.settings import Host, Origin, Settings, Start, changed, paths
from ftpfw.server.settings import Path as SettingPath

log = logging.getLogger(__name__)

CONFIGURATION = click.Path(exists=True, path_type=Path)
KEEPER = "ftpsecure"
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
ASKED = Origin("command line")
GENERATED = ""
"""--tls without a file."""


def _ports(context: click.Context, parameter: click.Parameter, value: str | None) -> range | None:
    """Two ports, as 61000-61199."""
    del context, parameter
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", value, re.ASCII)
    if not match or not 1024 <= int(match[1]) <= int(match[2]) <= 65535:
        raise click.BadParameter("two ports from 1024 to 65535, as 61000-61199")
    return range(int(match[1]), int(match[2]) + 1)


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Bytes, with K, M, G or T."""
    del context, parameter
    if value is None:
        return None
    match = re.fullmatch(r"(\d+)([KMGT]?)", value.upper(), re.ASCII)
    if not match:
        raise click.BadParameter("bytes, as 500M or 8G")
    return int(match[1]) * UNITS[match[2]]


def _host(context: click.Context, parameter: click.Parameter, value: str | None) -> Host | None:
    del context, parameter
    if value is None:
        return None
    try:
        return ip_address(value)
    except ValueError:
        return value


@click.command()
@click.option("--root", type=click.Path(exists=True, file_okay=False), help="What is served.")
@click.option("--upload", is_flag=True, help="Take uploads into ROOT/incoming, a drop box.")
@click.option("--box", type=click.Path(), help="Another directory for uploads, below ROOT.")
@click.option("--quota", metavar="SIZE", callback=_size, help="What uploads may take in all; 8G.")
@click.option(
    "--upload-rate",
    metavar="SIZE",
    callback=_size,
    help="What one upload takes in a second; 16M, and 0 is without a bound.",
)
@click.option(
    "--vsftpd", type=CONFIGURATION, metavar="FILE", help="Serve as this vsftpd.conf says."
)
@click.option(
    "--pure-ftpd",
    metavar="ARGS",
    help="Serve as pure-ftpd does with these flags, this pure-ftpd.conf or this conf directory.",
)
@click.option("--proftpd", type=CONFIGURATION, metavar="FILE", help="… as this proftpd.conf says.")
@click.option("--address", callback=_host, help="Listen here; without it on every address.")
@click.option("--port", type=click.IntRange(0, 65535), help="21 as root, 2121 else.")
@click.option(
    "--public", callback=_host, metavar="ADDRESS", help="What PASV announces, behind NAT."
)
@click.option(
    "--passive-ports", metavar="FIRST-LAST", callback=_ports, help="For passive data; 61000-61199."
)
@click.option("--user", help="Whose rights sessions have, started as root; ftp.")
@click.option("--max-clients", type=click.IntRange(1), help="Sessions at a time; 50.")
@click.option("--max-per-address", type=click.IntRange(1), help="Of one address; 5.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option(
    "--tls",
    is_flag=False,
    flag_value=GENERATED,
    metavar="[FILE]",
    help="FTPS by AUTH TLS, with this certificate and key (PEM); one is made and kept without it.",
)
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="The key, if apart.")
@click.option("--implicit-tls", is_flag=True, help="TLS from the first byte.")
@click.option("--xferlog", type=click.Path(dir_okay=False), help="Log transfers to this file.")
@click.option("--pid-file", type=click.Path(dir_okay=False), help="Write the pid to this file.")
@click.option("--inetd", is_flag=True, help="Standard input is the one connection to serve.")
def serve(**options: Any) -> None:
    """Serve a directory by FTP, to anybody: downloads, and with --upload a drop box.

    Without a daemon's configuration, everything is as safe as it can be. With one, that
    is obeyed, and the other options go before it. SIGHUP reads it again; SIGTERM ends
    the server after the transfers that run. Sockets of systemd (LISTEN_FDS) are taken.
    """
    by_inetd = spare_connection()
    _log(ToSyslog() if by_inetd else logging.StreamHandler(sys.stderr))
    read = _reader(options)
    try:
        settings = read(log.warning if by_inetd else note)
    except FtpfwError as error:
        if by_inetd:
            log.error("%s", error)  # noqa: TRY400 -- the error has its own words
        raise
    _raise_descriptors()
    given = inherited(os.environ, os.getpid())
    connection = _connection(settings, given)
    loop = EventLoop()
    master = Master(loop, options["workers"], given if connection is None else None)
    try:
        with pid_file(settings), signals(loop, _calls(master, read)):
            if connection is not None:
                master.serve_one(settings, connection)
            else:
                master.start(settings)
                _tell(master, settings)
            notify(READY)
            loop.run()
    finally:
        master.close()
        loop.close()


def _calls(
    master: Master, read: Callable[[Callable[[str], None]], Settings]
) -> dict[int, Callable[[], object]]:
    def reload() -> None:
        notify(reloading())
        master.reload(lambda: read(log.warning))
        notify(READY)

    def stop() -> None:
        notify(STOPPING)
        master.stop()

    return {signal.SIGHUP: reload, signal.SIGTERM: stop, signal.SIGINT: stop}


def _connection(settings: Settings, given: list[socket.socket]) -> socket.socket | None:
    """The one connection to serve, where that is what there is."""
    if given and not is_listening(given[0]):
        return given[0]
    if given or settings.listen.start is Start.STANDALONE:
        return None
    return standard_input()


def _reader(options: dict[str, Any]) -> Callable[[Callable[[str], None]], Settings]:
    """What reads the settings, now and at every reload; it is handed what takes notices."""
    files = [name for name in ("vsftpd", "pure_ftpd", "proftpd") if options[name]]
    if len(files) > 1:
        raise click.UsageError("--vsftpd, --pure-ftpd and --proftpd exclude each other")
    if not files and not options["root"]:
        raise click.UsageError("--root names what is served; or give a daemon's configuration")

    def read(tell: Callable[[str], None]) -> Settings:
        if not files:
            settings = base(privileged=os.geteuid() == 0)
            settings = changed(settings, {"anonymous.user": _default_user()})
            settings = replace(settings, origins=dict.fromkeys(paths(), ASKED))
        else:
            reading = _read(files[0], options[files[0]])
            for line in sort_given(reading.given):
                tell(line)
            settings = reading.settings
            for line in notices(settings):
                tell(line)
        changes = _changes(settings, options)
        origins = {**settings.origins, **dict.fromkeys(changes, ASKED)}
        return replace(changed(settings, changes), origins=origins)

    return read


def _changes(settings: Settings, options: dict[str, Any]) -> dict[SettingPath, Any]:
    root = os.path.realpath(options["root"]) if options["root"] else None
    wish = Wish(
        root=root,
        upload=options["upload"],
        address=options["address"],
        port=options["port"],
        public=options["public"],
        passive_ports=options["passive_ports"],
        user=options["user"],
        clients=options["max_clients"],
        clients_per_address=options["max_per_address"],
        quota=options["quota"],
        upload_rate=options["upload_rate"],
        box=options["box"] and os.path.realpath(options["box"]),
        pid_file=options["pid_file"],
        xferlog=options["xferlog"],
        inetd=options["inetd"],
        certificate=_certificate(options),
        key=options["tls_key"],
        implicit_tls=options["implicit_tls"],
    )
    changes: dict[SettingPath, Any] = {}
    if wish.upload:
        served = root or settings.anonymous.root
        if served is None:
            raise click.UsageError("--upload needs --root")
        changes |= drop_box(served, wish.box, _keeper())
    return changes | asked(wish)


def _read(option: str, value: Any) -> Reading:
    match option:
        case "vsftpd":
            return open_configuration(value, Form.VSFTPD.value)
        case "proftpd":
            return open_configuration(value, Form.PROFTPD.value)
        case _:
            if value.lstrip().startswith("-") or not Path(value).exists():
                return read_args(value, "--pure-ftpd")
            form = None if Path(value).is_dir() else Form.PURE_CONF.value
            return open_configuration(Path(value), form)


def _default_user() -> str:
    if os.geteuid() != 0:
        return ""
    return "ftp" if _exists("ftp") else "nobody"


def _keeper() -> str | None:
    """Whom uploads are given to: who is never a session's user."""
    if os.geteuid() != 0:
        return None
    return KEEPER if _exists(KEEPER) else "root"


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _certificate(options: dict[str, Any]) -> str | None:
    """The file of --tls; where it names none, one that is made and kept."""
    if options["tls"] is None:
        if options["implicit_tls"] or options["tls_key"]:
            raise click.UsageError("--implicit-tls and --tls-key need --tls")
        return None
    if options["tls"] != GENERATED:
        return str(options["tls"])
    file = _state() / "serve.pem"
    public = options["public"]
    try:
        keep(file, None if public is None else str(public))
    except OSError as error:
        mend = "name a certificate of your own: --tls FILE"
        raise ConfigError(error.strerror or str(error), file=str(file), mend=mend) from error
    return str(file)


def _state() -> Path:
    """Where things are kept that outlive the server."""
    if os.geteuid() == 0:
        return Path("/var/lib/ftpfw")
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "ftpfw"


class ToSyslog(logging.Handler):
    """Where the log goes if standard error is the client's."""

    def __init__(self) -> None:
        super().__init__()
        syslog.openlog("ftpfw", syslog.LOG_PID | syslog.LOG_NDELAY, syslog.LOG_DAEMON)

    def emit(self, record: logging.LogRecord) -> None:
        """One line of it."""
        level = syslog.LOG_WARNING if record.levelno >= logging.WARNING else syslog.LOG_INFO
        syslog.syslog(level, record.getMessage().replace("\0", "?"))


def _log(handler: logging.Handler) -> None:
    """What no line shows is not looked up (the logging HOWTO's advice)."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=[handler])
    logging.getLogger("pyftpdlib").setLevel(logging.ERROR)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 -- its documented name


def _raise_descriptors() -> None:

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tell(master: Master, settings: Settings) -> None:
    """Say where it listens, and what it serves to whom."""
    site = master.site
    assert site is not None, "started"
    for line in remarks(settings, site.jail, site.who):
        note(line)
    where = ", ".join(described(one) for one in master.listeners)
    click.echo(f"serving {site.jail.directory} on {where} to anybody{_as_whom(site)}", err=True)
    if settings.anonymous.rights.upload:
        boxes = ", ".join(site.law.boxes) or "where permissions of files allow it"
        click.echo(f"uploads: {boxes}", err=True)
    if site.tls is not None:
        click.echo(f"TLS: SHA-256 {site.tls.fingerprint}", err=True)


def _as_whom(site: Site) -> str:
    return f", as {site.who.name}" if site.who.name else ""
