"""A command line's verb and argument, and what is known of the verbs.

Spec: RFC 959 4.1 and 5.3 (a verb, blanks, an argument), RFC 854 (Telnet's own bytes ahead of a
verb), and for the verbs RFC 959, 1639, 2228, 2389, 2428, 2640, 3659 and 7151. Those in common
use that no RFC names are known too: a verb is unknown where no server would take it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# RFC 854: IAC WILL/WONT/DO/DONT option, IAC command; 0xF2 is the data mark that
# the urgent notice of an ABOR leaves behind. RFC 959 4.1.3 allows them before a command,
# and servers that answer an option put theirs before a reply. IAC IAC is data.
TELNET: Final = rb"(?:\xff[\xfb-\xfe].|\xff[\xf0-\xfa]|\xf2)*"

IAC: Final = "\xff"

_COMMAND_LINE = re.compile(TELNET + rb"([^ \t]*)[ \t]*(.*)", re.DOTALL)

TRANSFERS: Final = frozenset({"RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"})
"""The verbs that use a data connection."""

ACTIVE: Final = frozenset({"PORT", "EPRT", "LPRT"})
PASSIVE: Final = frozenset({"PASV", "EPSV", "LPSV"})

AFTER_LOGIN: Final = TRANSFERS | ACTIVE | PASSIVE

NOT_AFTER_EPSV_ALL: Final = ACTIVE | PASSIVE - {"EPSV"}
"""RFC 2428 4: what a server must refuse once a client has promised EPSV and nothing else."""

_VERBS = {
    "RFC 959": "USER PASS ACCT CWD CDUP SMNT QUIT REIN PORT PASV TYPE STRU MODE RETR STOR STOU"
    " APPE ALLO REST RNFR RNTO ABOR DELE RMD MKD PWD LIST NLST SITE SYST STAT HELP NOOP",
    "RFC 775": "XCUP XCWD XMKD XPWD XRMD",  # kept alive by RFC 1123 4.1.3.1
    "RFC 1639": "LPRT LPSV",
    "RFC 2228": "AUTH ADAT PROT PBSZ CCC MIC CONF ENC",
    "RFC 2389": "FEAT OPTS",
    "RFC 2428": "EPRT EPSV",
    "RFC 2640": "LANG",
    "RFC 3659": "MDTM SIZE MLST MLSD",
    "RFC 7151": "HOST",
    "Internet-Drafts": "AVBL CLNT CSID MFCT MFF MFMT RANG",
}
KNOWN: Final = frozenset(verb for verbs in _VERBS.values() for verb in verbs.split())


@dataclass(frozen=True, slots=True)
class Command:
    """A line from the client: its verb in upper case, and its argument as it was sent.

    ``verb`` is Latin-1, so that every byte of a strange one stays to be seen.
    """

    verb: str
    argument: bytes


def parse_command_line(text: bytes) -> Command:
    """Read a line without its terminator; Telnet's own bytes ahead of the verb are left out."""
    found = _COMMAND_LINE.match(text)
    assert found, "every part of it may be empty"
    # Upper case as bytes: as text, some letters would leave Latin-1, and one become two.
    return Command(found[1].upper().decode("latin-1"), found[2])


# RFC 4217 4 and 17; TLS-C and TLS-P are those of its drafts, which clients still send.
_TLS = frozenset({b"TLS", b"SSL", b"TLS-C", b"TLS-P"})


def asks_for_tls(command: Command) -> bool:
    """Whether this is AUTH with a mechanism after which the control connection speaks TLS."""
    return command.verb == "AUTH" and command.argument.strip(b" \t").upper() in _TLS
