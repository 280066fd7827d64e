"""How each daemon is told to serve the lab's directory, and nothing else.

Anonymous download from the root, which the daemon's user may not write to, and upload into
``incoming``. Sources: vsftpd.conf(5), pure-ftpd(8), ProFTPD's configuration directives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

USER = "ftp"  # made by the package vsftpd; every daemon's own default for anonymous clients
DATA_TIMEOUT = 10
IDLE_TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where a daemon serves: its address, the directory, and one for its own files.

    ``empty`` is a directory that nobody may write to. ``passive`` is the first and last port for
    passive data connections, ``public`` what PASV announces, ``certificate`` a PEM file with
    certificate and key for explicit FTPS.
    """

    address: str
    root: str
    own: str
    empty: str
    passive: tuple[int, int] | None = None
    public: str | None = None
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """A command's arguments, and the files to be written before it.

    ``{modules}`` in a file stands for where ProFTPD's modules are. ``home`` asks for a passwd of
    its own, in which the lab's directory is the home of the user that serves.
    """

    arguments: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    home: bool = False


def vsftpd(place: Place, options: Mapping[str, str]) -> Start:
    """The sandboxes that make a network namespace or a seccomp filter for each session are off.

    The bench is not about them, and a process in a network namespace of its own would escape
    the lab's clean-up.
    """
    listen = "listen_ipv6" if ":" in place.address else "listen"
    address = "listen_address6" if ":" in place.address else "listen_address"
    settings = {
        listen: "YES",
        address: place.address,
        "background": "NO",
        "anonymous_enable": "YES",
        "ftp_username": USER,
        "anon_root": place.root,
        "secure_chroot_dir": place.empty,
        "write_enable": "YES",
        "anon_upload_enable": "YES",
        "anon_umask": "022",
        "seccomp_sandbox": "NO",
        "isolate": "NO",
        "isolate_network": "NO",
        "accept_timeout": str(DATA_TIMEOUT),
        "connect_timeout": str(DATA_TIMEOUT),
        "data_connection_timeout": str(DATA_TIMEOUT),
        "idle_session_timeout": str(IDLE_TIMEOUT),
        "max_clients": "0",
        "max_per_ip": "0",
    }
    if place.address == "::":  # every address of both families, which vsftpd binds unnamed only
        del settings[address]
    if place.passive:
        settings |= {
            "pasv_min_port": str(place.passive[0]),
            "pasv_max_port": str(place.passive[1]),
        }
    if place.public:
        settings["pasv_address"] = place.public
    if place.certificate:
        settings |= {
            "ssl_enable": "YES",
            "allow_anon_ssl": "YES",
            "rsa_cert_file": place.certificate,
            "require_ssl_reuse": "NO",
            "force_anon_data_ssl": "NO",
            "force_anon_logins_ssl": "NO",
        }
    text = "".join(f"{key}={value}\n" for key, value in (settings | dict(options)).items())
    file = f"{place.own}/vsftpd.conf"
    return Start((file,), {file: text})


def pure_ftpd(place: Place, options: Mapping[str, str]) -> Start:
    """Anonymous clients only, in the home of their user; options are flags by their letter."""
    flags = {
        "e": "",
        "H": "",
        "S": f"{place.address},21",
        "I": "1",
        "c": "50",
        "C": "50",
        "U": "133:022",
        "g": f"{place.own}/pid",
    }
    if place.passive:
        flags["p"] = f"{place.passive[0]}:{place.passive[1]}"
    if place.public:
        flags["P"] = place.public
    if place.certificate:
        flags |= {"Y": "1", "2": place.certificate}
    arguments: list[str] = []
    for letter, value in (flags | dict(options)).items():
        arguments += [f"-{letter}", value] if value else [f"-{letter}"]
    return Start(tuple(arguments), home=True)


_PROFTPD = """\
ModulePath {modules}
ServerType standalone
ServerName "lab"
ServerIdent off
DefaultAddress {address}
Port 21
SocketBindTight on
UseIPv6 on
UseReverseDNS off
User {user}
Group nogroup
PidFile {own}/pid
ScoreboardFile {own}/scoreboard
SystemLog {own}/log
TransferLog none
WtmpLog off
RequireValidShell off
AuthPAM off
TimeoutNoTransfer {idle}
{more}<Anonymous {root}>
  User {user}
  Group nogroup
  UserAlias anonymous {user}
  Umask 022
  <Limit WRITE>
    DenyAll
  </Limit>
  <Directory incoming>
    <Limit STOR>
      AllowAll
    </Limit>
  </Directory>
</Anonymous>
"""


def proftpd(place: Place, options: Mapping[str, str]) -> Start:
    """Options are directives of the server's own context."""
    more = dict(options)
    if place.passive:
        more["PassivePorts"] = f"{place.passive[0]} {place.passive[1]}"
    if place.public:
        more["MasqueradeAddress"] = place.public
    lines = "".join(f"{key} {value}\n" for key, value in more.items())
    if place.certificate:
        lines += (
            "LoadModule mod_tls.c\nTLSEngine on\nTLSRequired off\n"
            "TLSOptions NoSessionReuseRequired\n"
            f"TLSRSACertificateFile {place.certificate}\n"
            f"TLSRSACertificateKeyFile {place.certificate}\n"
        )
    text = (
        _PROFTPD.replace("{address}", place.address)
        .replace("{user}", USER)
        .replace("{own}", place.own)
        .replace("{root}", place.root)
        .replace("{idle}", str(IDLE_TIMEOUT))
        .replace("{more}", lines)
    )
    file = f"{place.own}/proftpd.conf"
    return Start(("-n", "-c", file), {file: text})


def embedded(place: Place, options: Mapping[str, str]) -> Start:
    """``ftpfw serve`` with its drop box; options are its own, without their dashes."""
    flags = {
        "root": place.root,
        "upload": "",
        "address": place.address,
        "port": "21",
        "quota": "1G",
        "max-clients": "50",
        "max-per-address": "50",
    }
    if place.passive:
        flags["passive-ports"] = f"{place.passive[0]}-{place.passive[1]}"
    if place.public:
        flags["public"] = place.public
    if place.certificate:
        flags["tls"] = place.certificate
    arguments: list[str] = ["serve"]
    for name, value in (flags | dict(options)).items():
        arguments += [f"--{name}", value] if value else [f"--{name}"]
    return Start(tuple(arguments))


DAEMONS = {
    "vsftpd": vsftpd,
    "pure-ftpd": pure_ftpd,
    "proftpd": proftpd,
    "ftpfw": embedded,
}
"""What makes the start of each, by the name that exercises use."""
