"""What the lab tries and what should come of it: columns, rows and expectations, as data.

Ordinary rows are real clients in the four modes of RFC 959 and RFC 2428. The rows "beyond
the kernel" are legal or customary traffic that net/netfilter/nf_conntrack_ftp.c gets wrong,
because it looks at one segment at a time and at one line in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from ftpfw.lab.results import Verdict

PASS, FAIL, NOT_APPLICABLE = Verdict.PASS, Verdict.FAIL, Verdict.NOT_APPLICABLE


class Column(StrEnum):
    """Which helper the gateway runs."""

    NONE = "none"
    KERNEL = "kernel"
    FTPFW = "ftpfw"

    @property
    def backend(self) -> str:
        """The policy's ``backend`` that makes this column."""
        return "auto" if self is Column.FTPFW else self.value


class Mode(StrEnum):
    """The command that opens the way for a data connection."""

    PORT = "PORT"
    PASV = "PASV"
    EPRT = "EPRT"
    EPSV = "EPSV"

    @property
    def active(self) -> bool:
        """Whether the server connects to the client."""
        return self in {Mode.PORT, Mode.EPRT}


class Client(StrEnum):
    """Who speaks to the server."""

    CURL = "curl"
    LFTP = "lftp"
    FTPLIB = "ftplib"
    RAW = "raw"


class Script(StrEnum):
    """What the scripted server does and vsftpd never would."""

    MERGED = "230 and 227 in one segment"
    LOGOUT = "227 Logout. after REIN"


Segments = Callable[[bytes], tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    ``cannot`` says why a client has no such mode. Only the raw client has the last two:
    ``segments`` turns a proper PORT line into what is sent in its place, ``script`` asks
    for the scripted server in place of vsftpd.
    """

    name: str
    mode: Mode
    client: Client
    expected: Mapping[Column, Verdict]
    cannot: str | None = None
    segments: Segments | None = None
    script: Script | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """An exercise, by its name on the command line."""

    name: str
    aim: str
    rows: tuple[Row, ...]


LFTP_HAS_NO_EPRT = "lftp sends EPRT on IPv6 only: active on IPv4 is always PORT"


def _client_row(mode: Mode, client: Client) -> Row:
    cannot = LFTP_HAS_NO_EPRT if (mode, client) == (Mode.EPRT, Client.LFTP) else None
    with_helper, without = PASS, FAIL if mode.active else PASS
    if cannot:
        with_helper = without = NOT_APPLICABLE
    expected = {Column.NONE: without, Column.KERNEL: with_helper, Column.FTPFW: with_helper}
    return Row(f"{mode} {client}", mode, client, expected, cannot)


CLIENT_ROWS = tuple(
    _client_row(mode, client)
    for mode, client in product(Mode, (Client.CURL, Client.LFTP, Client.FTPLIB))
)


def byte_by_byte(line: bytes) -> tuple[bytes, ...]:
    """One segment a byte, as an interactive Telnet client sends."""
    return tuple(line[at : at + 1] for at in range(len(line)))


def cut_in_two(line: bytes) -> tuple[bytes, ...]:
    """Cut inside the address, after its first octet."""
    cut = line.index(b",")
    return line[:cut], line[cut:]


def after_noop(line: bytes) -> tuple[bytes, ...]:
    """Pipelined behind another command, in one segment."""
    return (b"NOOP\r\n" + line,)


def bare_lf(line: bytes) -> tuple[bytes, ...]:
    """Ended by LF alone, which servers accept."""
    return (line.removesuffix(b"\r\n") + b"\n",)


def two_spaces(line: bytes) -> tuple[bytes, ...]:
    """A second space between verb and argument."""
    return (line.replace(b" ", b"  ", 1),)


def leading_zeros(line: bytes) -> tuple[bytes, ...]:
    """Every number of the host-port in three digits; they stay decimal (RFC 959 5.3.2)."""
    verb, argument = line.split()
    return (verb + b" " + b",".join(n.rjust(3, b"0") for n in argument.split(b",")) + b"\r\n",)


def _port_row(name: str, segments: Segments, kernel: Verdict) -> Row:
    expected = {Column.KERNEL: kernel, Column.FTPFW: PASS}
    return Row(name, Mode.PORT, Client.RAW, expected, segments=segments)


def _script_row(script: Script, kernel: Verdict) -> Row:
    expected = {Column.KERNEL: kernel, Column.FTPFW: PASS}
    return Row(script.value, Mode.PASV, Client.RAW, expected, script=script)


def whole(line: bytes) -> tuple[bytes, ...]:
    """One segment, as every client sends it: shows that the raw client itself works."""
    return (line,)


# The kernel's verdicts were found by trial on Linux 6.18.
BEYOND_THE_KERNEL = (
    _port_row("PORT in one segment", whole, PASS),
    _port_row("PORT byte by byte", byte_by_byte, FAIL),
    _port_row("PORT cut in two", cut_in_two, FAIL),
    _port_row("NOOP and PORT in one segment", after_noop, FAIL),
    _port_row("PORT ended by bare LF", bare_lf, FAIL),
    _port_row("two spaces after PORT", two_spaces, FAIL),
    _port_row("PORT with leading zeros", leading_zeros, PASS),
    _script_row(Script.MERGED, FAIL),
    _script_row(Script.LOGOUT, FAIL),
)

NAT_GATEWAY = Scenario(
    "nat-gateway",
    "active and passive FTP from behind a masquerading gateway: no helper, the kernel's, ftpfw",
    CLIENT_ROWS + BEYOND_THE_KERNEL,
)

SCENARIOS = {scenario.name: scenario for scenario in (NAT_GATEWAY,)}
