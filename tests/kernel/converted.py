"""Configurations that are converted, where they are served, and what is asked of both servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from ftpfw.server.forms import DAEMON_OF, WRITERS, read_text
from ftpfw.server.options import Form, Reading
from ftpfw.server.recipes import CERTIFICATES, KEEPER, Place, Purpose, make
from ftpfw.server.settings import Settings, Start

from .conftest import made_namespaces
from .ftp_servers import HERE, PORT
from .server_configurations import (
    CONFIGURATIONS,
    PROFTPD,
    PROFTPD_BOX,
    PROFTPD_SITE,
    PURE,
    VSFTPD_UPLOAD,
    A,
    P,
    V,
)
from .server_options import Row
from .server_probes import PROBES
from .twins import Probe, Running, running

W = Form.WU_FTPD
TARGETS = (V, A, P)
PLACE = Place(address=ip_address("127.0.0.1"), passive_ports=range(61000, 61100))

IN_CLEAR = "@login alice; TYPE I"
IN_TLS = "@secure; @login alice; PBSZ 0; PROT P; TYPE I"
PREFACES = {IN_CLEAR: "2 2 ", IN_TLS: "TLSv1.2 2 2 2 2 "}
"""How alice logs in, and what is answered."""


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration, and how who asks logs in: a preface, or nothing for anonymous sessions."""

    id: str
    form: Form
    text: str
    preface: str = ""

    @property
    def reading(self) -> Reading:
        return _reading(self.text, self.id, self.form)


@cache
def _reading(text: str, file: str, form: Form) -> Reading:
    return read_text(text, file, form)


VSFTPD_BOTH = (
    VSFTPD_UPLOAD.replace("local_enable=NO", "local_enable=YES")
    + """\
anon_umask=077
local_umask=027
file_open_mode=0660
chroot_local_user=YES
cmds_denied=STOU,SITE
max_per_ip=20
accept_timeout=10
hide_ids=YES
ftpd_banner=Welcome.
"""
)
PURE_BOTH = PURE + "-A -i -x -U 026:027 -C 20 -G -K -p 61000:61100 -I 5"
PROFTPD_BOTH = (
    """\
DefaultRoot ~
Umask 0137 0027
AllowOverwrite on
AllowStoreRestart on
PersistentPasswd on
PassivePorts 61000 61100
MaxClientsPerHost 20
ListOptions "-l" maxdepth 2
<Limit DELE SITE_CHMOD SYST>
  DenyAll
</Limit>
"""
    + PROFTPD
    + PROFTPD_SITE.format("  Umask 0177 0077\n" + PROFTPD_BOX)
)
WU_FTPD = """\
class all anonymous *
passive ports 0.0.0.0/0 61000 61100
loginfails 3
timeout idle 600
log transfers anonymous,real inbound,outbound
delete no anonymous
overwrite no anonymous
rename no anonymous
chmod no anonymous
"""
WU_FTPD_BOX = (
    WU_FTPD
    + """\
defumask 077
path-filter anonymous /etc/msg ^[A-Za-z0-9.]*$
upload /srv/ftp * no
upload /srv/ftp /incoming yes keeper ftp 0600 nodirs
"""
)

SOURCES = (
    *(
        Source(
            f"{DAEMON_OF[form]}-{purpose}",
            form,
            make(purpose, form, PLACE).configuration,
            IN_TLS if purpose is Purpose.USERS else "",
        )
        for form in TARGETS
        for purpose in Purpose
    ),
    *(Source(one.id, one.form, one.text) for one in CONFIGURATIONS),
    *(
        Source(f"{name}-{who}", form, text, preface)
        for name, form, text in (
            ("vsftpd-both", V, VSFTPD_BOTH),
            ("pure-ftpd-both", A, PURE_BOTH),
            ("proftpd-both", P, PROFTPD_BOTH),
        )
        for who, preface in (("guest", ""), ("alice", IN_CLEAR))
    ),
    Source("wu-ftpd-downloads", W, WU_FTPD + "upload /srv/ftp * no\n"),
    Source("wu-ftpd-box", W, WU_FTPD_BOX),
)

SYSLOG = f"""
mkdir /run/dev
mount -t tmpfs -o mode=0755 none /run/dev
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /run/dev
mount --bind /run/dev /dev
{sys.executable} -c '
import socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
open("/run/syslog", "x")
while log.recv(1 << 16): pass
' &
until test -e /run/syslog; do sleep 0.02; done
"""
"""Who takes what is logged: without it ProFTPD does not begin."""

ACCOUNTS = f"""
useradd --home-dir /srv/ftp --no-create-home --shell /bin/sh alice
echo alice:me@example.net | chpasswd
useradd --system --user-group --no-create-home {KEEPER}
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server \\
    -keyout /etc/server.pem -out /etc/server.pem 2>/dev/null
mkdir -p /etc/ssl/private
for file in {" ".join(CERTIFICATES.values())}; do cp /etc/server.pem $file; done
"""
HERS = "chown -R alice:alice open\nchown alice incoming/there\n"
"""What else is the anonymous sessions' own."""

NOT_IN_TLS = {"CCC", "AUTH TLS", "PBSZ 0", "PROT P"}
NOT_HERS = {"QUIT", "USER again", "USER somebody, logged in", "REIN", "5000 bytes"}


def probes_of(source: Source) -> tuple[Probe, ...]:
    """The probes that are asked by who logs in."""
    if not source.preface:
        return PROBES
    here = [probe for probe in PROBES if probe.login and probe.id not in NOT_HERS]
    if source.preface == IN_TLS:  # what is no command talks in the clear
        here = [one for one in here if "@" not in one.script and one.id not in NOT_IN_TLS]
    return tuple(Probe(one.id, f"{source.preface}; {one.script}", False) for one in here)


def answers(source: Source, form: Form, text: str, directory: Path) -> dict[str, str]:
    """What a daemon answers to all of them, by one configuration."""
    probes = probes_of(source)
    settings = read_text(text, "text", form).settings
    hers, by_inetd = HERS * bool(source.preface), settings.listen.start is Start.INETD
    with _daemon(form, text, directory, hers, by_inetd=by_inetd) as server:
        said = dict(zip(probes, server.answers(probes, _together(settings, form)), strict=True))
        for probe in [one for one in probes if not _has_logged_in(source, said[one])]:
            said[probe] = server.answer(probe)  # a session that has ended is counted for a while
        return {probe.id: _without_preface(source, answer) for probe, answer in said.items()}


def asked(
    row: Row, form: Form, text: str, directory: Path
) -> Iterator[tuple[tuple[str, str], str]]:
    """The scripts of a row of options with their answers, by one configuration."""
    with _daemon(form, text, directory, row.commands, by_inetd=row.by_inetd, at=row.at) as server:
        for script, wanted in row.asked:
            yield (script, wanted), server.answer(Probe(script, script, row.login))


@contextmanager
def _daemon(
    form: Form,
    text: str,
    directory: Path,
    commands: str,
    *,
    by_inetd: bool,
    at: tuple[str, int] = (HERE, PORT),
) -> Iterator[Running]:
    """A daemon in a namespace of its own, with all that sources of another daemon may need."""
    with (
        made_namespaces() as namespaces,
        running(
            namespaces.create("converted"),
            form,
            text,
            directory,
            ours=False,
            commands=SYSLOG + ACCOUNTS + commands,
            by_inetd=by_inetd,
            at=at,
        ) as server,
    ):
        yield server


def _together(settings: Settings, form: Form) -> int:
    """Sessions that may begin together: ProFTPD's master rests after each that has ended."""
    limits = settings.limits
    return min(45, limits.clients_per_address or 45) if form is P else 1


def _has_logged_in(source: Source, answer: str) -> bool:
    return answer.startswith(PREFACES.get(source.preface, "")) and not answer.startswith("login ")


def _without_preface(source: Source, answer: str) -> str:
    preface = PREFACES.get(source.preface, "")
    assert answer.startswith(preface), answer
    return answer.removeprefix(preface)


def converted(source: Source, target: Form) -> tuple[str, frozenset[str]]:
    """What ``ftpfw server convert`` makes of it, and the paths of what it lists."""
    written = WRITERS[target](source.reading.settings)
    return written.text, frozenset(one.path for one in written.unexpressed)
