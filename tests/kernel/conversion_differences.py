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

from .converted import IN_TLS as TLS
from .converted import SOURCES, W
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
_OPEN = tuple(name for name in _STORED if name != "stored and fetched" and "incoming" not in name)
_REPLACED = ("STOR open/there", "STOR incoming/there")
_FETCHED = (
    "RETR incoming/there",
    "RETR open/there",
    "RETR open/public",
    "stored and fetched",
    "stored and fetched, open",
)

_MOVED = (
    "a directory renamed",
    "a directory renamed over another",
    "a directory renamed over a file",
)
_MADE = ("MKD open/d", "XMKD open/d", *_MOVED)
"""What leaves a directory of one's own."""

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
    "anonymous.directory_umask": ("MKD incoming/d", "MKD and RMD", *_MADE),
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
        *_MOVED,
    ),
    "anonymous.rights.resume": ("REST and STOR open/there", "REST and STOR incoming/there"),
    "anonymous.rights.touch": ("MFMT open/there", "MFMT incoming/there", "MDTM sets"),
    "commands.denied": ("STOU open", "STOU incoming", "STOU with a name", "SITE HELP"),
    "files.base_mode": _STORED,
    "files.keep_partial": ("broken off",),
    "files.rename_uploads": _REPLACED,
    "listing.depth": ("LIST -R pub",),
    "users.directory_umask": _MADE,
    "users.file_umask": _STORED,
    "users.dot_files": ("RETR pub/.dot", "STOR open/.rhosts"),
}
"""Setting → the probes whose answers it can change."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What each of some daemons answers to a probe, in some configurations."""

    probe: str
    whose: frozenset[str]
    says: Mapping[Form, str]
    why: str

    def is_for(self, configuration: str, probe: str, one: Form, other: Form) -> bool:
        if (
            probe != self.probe
            or configuration not in self.whose
            or not {one, other} <= {*self.says}
        ):
            return False
        return self.says[one] != self.says[other]

    def holds(self, one: Form, said: str, other: Form, answer: str) -> bool:
        return fits(self.says[one], said) and fits(self.says[other], answer)


def _because(
    why: str, *rows: tuple[str, frozenset[str], Mapping[Form, str]]
) -> tuple[Difference, ...]:
    return tuple(Difference(probe, whose, says, why) for probe, whose, says in rows)


def _says(v: str | None = None, a: str | None = None, p: str | None = None) -> Mapping[Form, str]:
    return {form: text for form, text in ((V, v), (A, a), (P, p)) if text is not None}


def _those(names: str) -> frozenset[str]:
    found = frozenset(names.split())
    assert found <= ALL, found - ALL
    return found


ALL = frozenset(one.id for one in SOURCES if one.form is not W)
USERS = frozenset(one.id for one in SOURCES if one.preface)
IN_TLS = frozenset(one.id for one in SOURCES if one.preface == TLS)
GUESTS = ALL - USERS
V_ALL = frozenset(name for name in ALL if name.startswith("vsftpd"))
P_BOXES = _those("proftpd-drop-box proftpd-box proftpd-both-guest")
V_BOXES = _those("vsftpd-drop-box vsftpd-box vsftpd-both-guest")
A_BOXES = _those("pure-ftpd-drop-box pure-ftpd-box pure-ftpd-file")
A_UPLOADS = A_BOXES | _those("pure-ftpd-plain pure-ftpd-writable")
ANY_NAME = frozenset(name for name in GUESTS if name.startswith("pure-ftpd"))
ANY_NAME -= _those("pure-ftpd-both-guest")
NO_STOU = _those("vsftpd-both-guest vsftpd-both-alice")
TOUCHED = USERS
WRITABLE = _those("vsftpd-writable proftpd-writable")

_PUB = "2:[pub/big pub/deep pub/inner {}pub/private pub/small]"
_HERE = "2 2:[{}big deep inner {}private small]"

DIFFERENCES = (
    *_because(
        "commands and arguments that not all of them know",
        ("ACCT x", ALL, _says("5", "2", "5")),
        ("CLNT x", ALL, _says("5", "5", "2")),
        ("CWD ~", ALL, _says("2", "2", "5")),
        ("EPSV 3", ALL, _says("5", "2", "5")),
        ("EPSV ALL", ALL, _says("2 2 5 5", "2 2 2 5", "2 2 5 5")),
        (
            "MLSD pub",
            ALL,
            _says("5", "2:[. .. …outer…]", "2:[. .. .dot big deep inner private small]"),
        ),
        ("MLST pub/small", ALL, _says("5", "2", "2")),
        ("MLST incoming/there", GUESTS - P_BOXES, _says("5", "2", "2")),
        ("MLST incoming/there", P_BOXES, _says("5", "2", "5")),
        ("OPTS UTF8 ON", ALL, _says("2", "5", "2")),
        ("PRET", ALL, _says("5", "2", "5")),
        ("REST x", ALL, _says("3", "5", "5")),
        ("SITE HELP", GUESTS, _says("5", "2", "2")),
        ("SITE IDLE 10", ALL, _says("5", "2", "5")),
        ("nothing", ALL - IN_TLS, _says("-", "-", "5")),
        ("5000 bytes", GUESTS, _says("5", "4", "-")),
    ),
    *_because(
        "what a listing is of, and what is said where there is nothing",
        ("LIST incoming", ALL, _says("2:[incoming]", "2:[]", "2:[]")),
        ("LIST pub/none", ALL, _says("2:[]", "2:[]", "4:[]")),
        ("LIST pub/small", ALL, _says("2:[small]", "2:[pub/small]", "2:[pub/small]")),
        ("LIST pub/s*", ALL - V_ALL, _says("2:[small]", "2:[pub/small]", "2:[pub/small]")),
        # with one level a pattern with a directory in it finds nothing
        ("LIST pub/s*", V_ALL, _says("2:[small]", "2:[]", "2:[pub/small]")),
        ("NLST here", ALL, _says("2 2:[…outer…]", "2 2:[. .. …]", _HERE.format("", ""))),
        ("NLST incoming", ALL - P_BOXES, _says("2:[incoming]", "5", "2:[]")),
        ("NLST incoming", P_BOXES, _says("2:[incoming]", "5", "4")),
        ("NLST open", ALL, _says("2:[open/public…]", "2:[open/. open/.. …]", "2:[open/public…]")),
        ("NLST pub", ALL, _says(_PUB.format("pub/outer "), "2:[pub/. …]", _PUB.format(""))),
        ("NLST pub/none", ALL, _says("2:[]", "5", "4")),
        ("STAT pub/none", ALL, _says("2", "2", "4")),
        ("REST past the end", ALL, _says("3 2:", "3 5", "3 5")),
        ("SIZE as text", ALL, _says("2 2", "2 2", "2 5")),
    ),
    *_because(
        "names of anonymous users in capitals; with any name another session begins anew",
        ("login as FTP", GUESTS - ANY_NAME, _says("2", "2", "5")),
        ("login as Anonymous", GUESTS - ANY_NAME, _says("2", "2", "5")),
        ("USER again", GUESTS, _says("5", "2", "5")),
        ("USER somebody, logged in", GUESTS, _says("5", "2", "5")),
    ),
    *_because(
        "vsftpd names the directory that a recursive listing begins with",
        (
            "LIST -R pub",
            _those("proftpd-users proftpd-downloads proftpd-box proftpd-writable"),
            _says("2:[…pub/deep: pub: small]", p="2:[…pub/deep: small]"),
        ),
    ),
    *_because(
        "vsftpd sets times by MDTM, the others by MFMT",
        ("MDTM sets", TOUCHED | _those("vsftpd-writable"), _says("2", "5", "5")),
        ("MFMT open/there", TOUCHED, _says("5", "2", "2")),
        ("MFMT open/there", _those("vsftpd-writable"), _says("5", p="2")),
        ("MFMT incoming/there", _those("vsftpd-writable"), _says("5", p="2")),
    ),
    *_because(
        "vsftpd's users may change their umask",
        ("SITE UMASK 000", USERS - _those("vsftpd-both-alice"), _says("2", "5", "5")),
    ),
    *_because(
        "Pure-FTPd takes APPE for what is not there, and with NoTruncate for STOR; the others"
        " take it with the right to append alone",
        ("APPE open/new", A_UPLOADS | V_BOXES | P_BOXES, _says("5", "2 | +…", "5")),
        ("APPE incoming/new", A_UPLOADS | V_BOXES | P_BOXES, _says("5", "2 | +…", "5")),
        ("APPE open/new", _those("proftpd-writable"), _says("5", p="2 | +…")),
        ("APPE incoming/new", _those("proftpd-writable"), _says("5", p="2 | +…")),
        ("APPE open/there", _those("proftpd-writable"), _says(a="2 | ~…", p="4")),
        ("APPE incoming/there", _those("proftpd-writable"), _says(a="2 | ~…", p="4")),
    ),
    *_because(
        "Pure-FTPd deletes what an anonymous client would resume: rest-deletes in the audit",
        (
            "REST and STOR open/there",
            A_UPLOADS | V_BOXES | P_BOXES,
            _says("3 5", "3 5 | -open/there", "3 5"),
        ),
        (
            "REST and STOR incoming/there",
            A_UPLOADS | V_BOXES | P_BOXES,
            _says("3 5", "3 5 | -incoming/there", "3 5"),
        ),
        (
            "REST and STOR open/there",
            _those("proftpd-writable"),
            _says("3 5", "3 5 | -open/there", "3 4"),
        ),
        (
            "REST and STOR incoming/there",
            _those("proftpd-writable"),
            _says("3 5", "3 5 | -incoming/there", "3 4"),
        ),
    ),
    *_because(
        "REST and a new file: vsftpd leaves a hole where it may overwrite, Pure-FTPd passes over"
        " REST, ProFTPD refuses the file after it has made it",
        (
            "REST and STOR open/new",
            A_UPLOADS | V_BOXES,
            _says("3 2 | +open/new 6…", "3 2 | +open/new 6…", "3 5 | +open/new 0…"),
        ),
        (
            "REST and STOR open/new",
            USERS | _those("vsftpd-writable"),
            _says("3 2 | +open/new 8…", "3 2 | +open/new 6…", "3 5 | +open/new 0…"),
        ),
        (
            "REST and STOR open/new",
            _those("proftpd-writable"),
            _says("3 2 | +…", "3 2 | +…", "3 5"),
        ),
    ),
    *_because(
        "AntiWarez keeps anonymous clients from all that belongs to ftp, whatever its mode",
        ("RETR open/there", A_BOXES | V_BOXES | P_BOXES, _says("2:there", "5", "2:there")),
        ("RETR open/public", A_BOXES | V_BOXES | P_BOXES, _says("2:public", "5", "2:public")),
    ),
    *_because(
        "who is not the peer of passive data: Pure-FTPd waits on for the one who is",
        ("passive theft", ALL - IN_TLS, _says("4:", "-:", "4:")),
    ),
    *_because(
        "the size of what cannot be fetched is told, but by ProFTPD, which limits SIZE too",
        ("SIZE incoming/there", P_BOXES, _says("2", "2", "5")),
    ),
    *_because(
        "a rename that permissions forbid",
        ("RNFR pub/small", USERS - _those("pure-ftpd-both-alice"), _says("3 5", "3 4", "3 5")),
        (
            "a directory renamed over a file",
            USERS - _those("pure-ftpd-both-alice"),
            _says("2 3 5 | +…", "2 3 4 | +…", "2 3 5 | +…"),
        ),
    ),
    *_because(
        "what ProFTPD denies to anonymous sessions alone, which convert says is left out",
        (
            "STOU incoming",
            _those("proftpd-both-guest"),
            _says("2 2 | +…/STOU.1 6…", "2 2 | +…/pureftpd…", "2 5"),
        ),
    ),
    *_because(
        "names that STOU makes; ProFTPD's STOU takes the right to overwrite, and leaves an empty"
        " file without it",
        (
            "STOU open",
            A_UPLOADS | V_BOXES - NO_STOU,
            _says("2 2 | +open/STOU.1 6…", "2 2 | +open/pureftpd…", "2 5 | +open/ftp* 0…"),
        ),
        (
            "STOU open",
            WRITABLE | USERS - NO_STOU,
            _says("2 2 | +open/STOU.1 6…", "2 2 | +open/pureftpd…", "2 2 | +open/ftp* 6…"),
        ),
        (
            "STOU with a name",
            A_UPLOADS | V_BOXES - NO_STOU,
            _says("2 2 | +open/new 6…", "2 2 | +open/pureftpd…", "2 5 | +open/ftp* 0…"),
        ),
        (
            "STOU with a name",
            WRITABLE | USERS - NO_STOU,
            _says("2 2 | +open/new 6…", "2 2 | +open/pureftpd…", "2 2 | +open/ftp* 6…"),
        ),
        (
            "STOU incoming",
            A_UPLOADS | V_BOXES - NO_STOU | _those("proftpd-drop-box"),
            _says("2 2 | +…/STOU.1 6…", "2 2 | +…/pureftpd…", "2 5 | +…/ftp* 0…"),
        ),
        (
            "STOU incoming",
            WRITABLE,
            _says("2 2 | +…/STOU.1 6…", "2 2 | +…/pureftpd…", "2 2 | +…/ftp* 6…"),
        ),
        ("STOU incoming", USERS, _says("5 5", "5 5", "5 4")),
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What wu-ftpd's manual has it answer to a probe, in some configurations."""

    probe: str
    answer: str
    whose: tuple[str, ...] = ("wu-ftpd-downloads", "wu-ftpd-box")

    def is_for(self, configuration: str) -> bool:
        return configuration in self.whose


_DOWNLOADS, _BOX = ("wu-ftpd-downloads",), ("wu-ftpd-box",)

WU_FTPD_ANSWERS = (
    Answer("login as anonymous", "2 2:/"),
    Answer("login as somebody", "5"),
    Answer("RETR pub/small", "2:small"),
    Answer("RETR pub/big", "2:<200000>"),
    Answer("RETR pub/private", "5"),
    Answer("RETR /etc/passwd", "5"),
    Answer("LIST pub", "2:[…big…small]"),
    Answer("STOR open/new", "5"),
    Answer("STOR open/there", "5"),
    Answer("STOR pub/small", "5"),
    Answer("STOR incoming/new", "5", _DOWNLOADS),
    Answer("STOR incoming/new", "2 | +incoming/new 6 600 keeper", _BOX),
    Answer("STOR incoming/there", "5"),
    Answer("stored and fetched", "5 5", _DOWNLOADS),
    Answer("stored and fetched", "2 5 | +incoming/new 6 600 keeper", _BOX),
    Answer("STOR odd name", "5"),
    Answer("DELE open/there", "5"),
    Answer("DELE incoming/there", "5"),
    Answer("RNFR open/there", "5 5"),
    Answer("RNTO over a file", "5 5"),
    Answer("MKD incoming/d", "5", _BOX),
    Answer("SITE CHMOD 777 open/there", "5"),
    Answer("PORT elsewhere", "5"),
    Answer("PORT privileged", "5"),
    Answer("PASV", "2"),
)


GO_BY = {
    "<Anonymous> AllowOverwrite": frozenset({"anonymous.rights.rename"}),
}
"""A row's options → what else its scripts go by."""

OPTION_DIFFERENCES: Mapping[tuple[str, Form], tuple[str, str]] = {
    # the row's options and the target: the answer, and why
    ("dirlist_enable", P): ("2:[] 4 2", "what may not be listed is empty"),
    ("force_dot_files", P): ("2 2:[. .. .dot …]", "the directory and the one above are dot files"),
    ("max_per_ip", P): ("2 5 2", "other codes for a connection too many"),
    ("max_clients", P): ("2 0 0", "MaxInstances ends a connection without a word"),
    ("max_login_fails delay_failed_login", P): ("3 2 2 5 -", "it refuses no passwords, as listed"),
    ("data_connection_timeout", P): ("1 0 | …", "a session ends with its stalled transfer"),
    ("TimeoutStalled", V): ("1 4 | …", "a session goes on after a stalled transfer"),
    ("MaxLoginAttempts", V): ("5 5 5 5 -", "USER is refused where nobody but ftp may log in"),
    ("MaxInstances", V): ("2 4 4", "MaxInstances ends a connection without a word"),
    ("MaxInstances", A): ("2 4 4", "MaxInstances ends a connection without a word"),
    ("MaxClientsNumber", P): ("2 0 0", "MaxInstances ends a connection without a word"),
    ("MaxClientsPerIP", P): ("2 5 2", "other codes for a connection too many"),
    ("PerUserLimits", P): ("2 2 5", "one session too many is refused at login"),
    ("LimitRecursion", P): ("2:4", "it counts otherwise"),
    ("force_anon_logins_ssl", A): ("4", "other codes for a login in the clear"),
    ("TLS CertFile", V): ("5", "other codes for a login in the clear"),
    ("TLS CertFile", P): ("5", "other codes for a login in the clear"),
    ("TLSRequired", A): ("4", "other codes for a login in the clear"),
    ("MaxClientsPerHost", V): ("2 4 4", "it counts connections, also of who asks"),
    ("MaxClientsPerHost", A): ("2 4 4", "it counts connections, also of who asks"),
    ("MaxConnectionsPerHost", V): ("2 4 4", "other codes for a connection too many"),
    ("MaxConnectionsPerHost", A): ("2 4 4", "other codes for a connection too many"),
    ("MaxClientsPerUser", A): ("2 2 4", "other codes for a session too many"),
    ("ListOptions", V): ("2:[.dot …]", "the directory and the one above are no dot files"),
    ("require_cert ca_certs_file", P): ("- failed", "it has every certificate vouched for"),
    ("ProhibitDotFilesRead", V): ("5 5", "it keeps anonymous clients from dot files as it says"),
}
"""Rows of options whose target answers otherwise, though the setting has arrived."""
