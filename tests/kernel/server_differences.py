"""Where the embedded server answers otherwise than the daemon whose configuration it obeys: why.

The table is strict both ways: what differs and is in no row is an error, and so is a row that
does not come true in each of the configurations that it is for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Difference:
    """What the daemon does and what we do; ``…`` stands for anything.

    ``whose`` are beginnings of names of configurations.
    """

    probe: str
    whose: tuple[str, ...]
    daemon: str
    ours: str
    why: str

    def is_for(self, configuration: str, probe: str) -> bool:
        if ":" in configuration:  # a row of options, by its whole name
            return self.probe == probe and configuration in self.whose
        return self.probe == probe and configuration.startswith(self.whose)

    def holds(self, daemon: str, ours: str) -> bool:
        return fits(self.daemon, daemon) and fits(self.ours, ours)


def fits(pattern: str, answer: str) -> bool:
    """Whether an answer is as a pattern has it."""
    parts = map(re.escape, pattern.split(ANYTHING))
    return re.fullmatch(".*".join(parts), answer, re.DOTALL) is not None


def _because(why: str, *rows: tuple[str, str, str, str]) -> tuple[Difference, ...]:
    return tuple(
        Difference(probe, tuple(whose.split()), daemon, ours, why)
        for probe, whose, daemon, ours in rows
    )


V, A, P = "vsftpd", "pure-ftpd", "proftpd"
ALL = f"{V} {A} {P}"
A_UPLOADS = "pure-ftpd-plain pure-ftpd-box pure-ftpd-writable pure-ftpd-file"
A_BOX = "pure-ftpd-box pure-ftpd-file"
V_UPLOADS = "vsftpd-box vsftpd-writable"
LISTED = "2:[big deep inner outer private small]"

DIFFERENCES = (
    # less is told
    *_because(
        "a link that leads out of what is served is not listed, since it cannot be followed",
        ("LIST pub", ALL, LISTED, "2:[big deep inner private small]"),
        (
            "LIST pub",
            "proftpd:HideNoAccess",
            "2:[big deep inner outer small]",
            "2:[big deep inner small]",
        ),
    ),
    *_because(
        "ProFTPD hides a link that leads nowhere from names too; ours has no look at each name",
        (
            "NLST pub",
            P,
            "2:[pub/big pub/deep pub/inner pub/private pub/small]",
            "2:[pub/big pub/deep pub/inner pub/outer pub/private pub/small]",
        ),
        (
            "NLST here",
            P,
            "2 2:[big deep inner private small]",
            "2 2:[big deep inner outer private small]",
        ),
    ),
    *_because(
        "what cannot be listed is refused, not empty, and told apart from nothing by nobody",
        ("LIST incoming", V, "2:[incoming]", "5"),
        ("LIST incoming", "pure-ftpd proftpd", "2:[]", "5"),
        ("LIST pub/none", "vsftpd pure-ftpd", "2:[]", "5"),
        ("LIST pub/none", P, "4:[]", "5"),
        ("NLST incoming", V, "2:[incoming]", "5"),
        ("NLST incoming", "proftpd-downloads proftpd-writable", "2:[]", "5"),
        ("NLST incoming", "proftpd-box", "4", "5"),
        ("NLST pub/none", V, "2:[]", "5"),
        ("NLST pub/none", P, "4", "5"),
        ("STAT incoming", ALL, "2", "5"),
        ("STAT pub/none", "vsftpd pure-ftpd", "2", "5"),
        ("STAT pub/none", P, "4", "5"),
    ),
    *_because(
        "options of ls are passed over: dot files stay hidden, and a listing is of one directory",
        (
            "LIST -a pub",
            ALL,
            "2:[. .. .dot big deep inner outer private small]",
            "2:[big deep inner private small]",
        ),
        ("LIST -R pub", V, LISTED, "2:[big deep inner private small]"),
        (
            "LIST -R pub",
            "pure-ftpd proftpd",
            "2:[big deep deeper file inner outer private pub/deep/deeper: pub/deep: small]",
            "2:[big deep inner private small]",
        ),
    ),
    *_because(
        "dot files, and the directory itself and the one above it, are in no listing",
        (
            "NLST pub",
            A,
            "2:[pub/. pub/.. pub/.dot pub/big pub/deep pub/inner pub/outer pub/private pub/small]",
            "2:[pub/big pub/deep pub/inner pub/outer pub/private pub/small]",
        ),
        (
            "NLST open",
            A,
            "2:[open/. open/.. open/public open/there open/two.txt]",
            "2:[open/public open/there open/two.txt]",
        ),
        (
            "NLST here",
            A,
            "2 2:[. .. .dot big deep inner outer private small]",
            "2 2:[big deep inner outer private small]",
        ),
        (
            "MLSD pub",
            A,
            "2:[. .. .dot big deep inner outer private small]",
            "2:[big deep inner private small]",
        ),
        (
            "MLSD pub",
            P,
            "2:[. .. .dot big deep inner private small]",
            "2:[big deep inner private small]",
        ),
    ),
    *_because(
        "no patterns in listings, which cost a server more than a client",
        ("LIST pub/s*", V, "2:[small]", "5"),
        ("LIST pub/s*", "pure-ftpd proftpd", "2:[pub/small]", "5"),
    ),
    *_because(
        "a line of LIST ends with the file's name alone",
        ("LIST pub/small", "pure-ftpd proftpd", "2:[pub/small]", "2:[small]"),
    ),
    *_because(
        "size and time of an upload are not told, whatever can be known of it otherwise",
        ("SIZE incoming/there", f"{V} {A_BOX}", "2", "5"),
        ("MDTM incoming/there", f"{V} {A_BOX}", "2", "5"),
        ("MLST incoming/there", A_BOX, "2", "5"),
        ("SIZE open/there", f"vsftpd-box {A_BOX} proftpd-box", "2", "5"),
    ),
    *_because(
        "a file of the user that sessions run as counts as an upload, wherever it is",
        ("RETR open/there", "vsftpd-box proftpd-box", "2:there", "5"),
        ("RETR open/public", "vsftpd-box proftpd-box", "2:public", "5"),
    ),
    *_because(
        "the size of a file as text, with other line ends, is another (RFC 3659 4)",
        ("SIZE as text", "vsftpd pure-ftpd", "2 2", "2 5"),
    ),
    # less is taken
    *_because(
        "what means something to a shell is no name for a stranger's file",
        ("STOR odd name", f"{V_UPLOADS} {A_UPLOADS} proftpd-writable", "2 | +open/a;b 6 …", "5"),
    ),
    *_because(
        "APPE takes the right to add to what is there, for a new file too",
        ("APPE incoming/new", f"{A_UPLOADS} proftpd-writable", "2 | +incoming/new 6 …", "5"),
        ("APPE open/new", f"{A_UPLOADS} proftpd-writable", "2 | +open/new 6 …", "5"),
    ),
    *_because(
        "with HiddenStores nothing can be added: for good (550), not for now (451)",
        ("APPE open/there", "proftpd-writable", "4", "5"),
        ("APPE incoming/there", "proftpd-writable", "4", "5"),
        ("REST and STOR open/there", "proftpd-writable", "3 4", "3 5"),
        ("REST and STOR incoming/there", "proftpd-writable", "3 4", "3 5"),
    ),
    *_because(
        "Pure-FTPd refuses to resume, and has removed the file",
        ("REST and STOR open/there", A_UPLOADS, "3 5 | -open/there", "3 5"),
        ("REST and STOR incoming/there", A_UPLOADS, "3 5 | -incoming/there", "3 5"),
    ),
    *_because(
        "an upload cannot begin after the end of its file, nor of none",
        ("REST and STOR open/new", f"{V_UPLOADS} {A_UPLOADS}", "3 2 | +open/new …", "3 5"),
    ),
    *_because(
        "a download that begins after the end is refused (RFC 3659 5.4)",
        ("REST past the end", V, "3 2:", "3 5"),
    ),
    # other names
    *_because(
        "a name that STOU makes is new at random, not by counting what is there",
        ("STOU open", V_UPLOADS, "2 2 | +open/STOU.1 6 …", "2 2 | +open/upload.* 6 …"),
        ("STOU incoming", V_UPLOADS, "2 2 | +incoming/STOU.1 6 …", "2 2 | +incoming/upload.* 6 …"),
        ("STOU with a name", V_UPLOADS, "2 2 | +open/new 6 …", "2 2 | +open/new.* 6 …"),
        ("STOU open", A_UPLOADS, "2 2 | +open/pureftpd.* 6 …", "2 2 | +open/upload.* 6 …"),
        (
            "STOU incoming",
            A_UPLOADS,
            "2 2 | +incoming/pureftpd.* 6 …",
            "2 2 | +incoming/upload.* 6 …",
        ),
        ("STOU with a name", A_UPLOADS, "2 2 | +open/pureftpd.* 6 …", "2 2 | +open/new.* 6 …"),
        ("STOU open", "proftpd-writable", "2 2 | +open/ftp* 6 …", "2 2 | +open/upload.* 6 …"),
        (
            "STOU incoming",
            "proftpd-writable",
            "2 2 | +incoming/ftp* 6 …",
            "2 2 | +incoming/upload.* 6 …",
        ),
        ("STOU with a name", "proftpd-writable", "2 2 | +open/ftp* 6 …", "2 2 | +open/new.* 6 …"),
        (
            "STOR open/there",
            "pure-ftpd-writable",
            "2 | +open/there.1 6 …",
            "2 | +open/there.* 6 …",
        ),
        (
            "STOR incoming/there",
            "pure-ftpd-writable",
            "2 | +incoming/there.1 6 …",
            "2 | +incoming/there.* 6 …",
        ),
    ),
    *_because(
        "what broke off is marked as a part",
        (
            "broken off",
            f"{V_UPLOADS} {A_UPLOADS}",
            "1 4 | +open/new 100 …",
            "1 4 | +open/new.partial-* 100 …",
        ),
    ),
    # verbs that one has and the other has not
    *_because(
        "vsftpd has no MLSD and MLST, which tell what LIST does",
        ("MLSD pub", V, "5", "2:[big deep inner private small]"),
        ("MLST pub/small", V, "5", "2"),
    ),
    *_because(
        "a file's time is set by MFMT, not by MDTM",
        ("MFMT open/there", "vsftpd-writable", "5", "2"),
        ("MDTM sets", "vsftpd-writable", "2", "5"),
    ),
    *_because(
        "a session can begin again: REIN, and USER in the middle of one",
        ("REIN", ALL, "5", "2"),
        ("USER again", "vsftpd proftpd", "5", "3"),
        ("USER again", A, "2", "3"),
        ("USER somebody, logged in", "vsftpd proftpd", "5", "3"),
        ("USER somebody, logged in", A, "2", "3"),
    ),
    *_because(
        "verbs that do nothing here are unknown",
        ("CLNT x", P, "2", "5"),
        ("PRET", A, "2", "5"),
        ("ACCT x", A, "2", "5"),
        ("SITE IDLE 10", A, "2", "5"),
    ),
    *_because(
        "names are UTF-8, and whoever asks for that is told so",
        ("OPTS UTF8 ON", A, "5", "2"),
    ),
    *_because(
        "help is given to all",
        ("SITE HELP", V, "5", "2"),
    ),
    *_because(
        "~ is a name as any other",
        ("CWD ~", "vsftpd pure-ftpd", "2", "5"),
    ),
    *_because(
        "anonymous names are taken in capitals too, as by the other two",
        ("login as FTP", P, "5", "2"),
        ("login as Anonymous", P, "5", "2"),
    ),
    # lines
    *_because(
        "an empty line is answered",
        ("nothing", "vsftpd pure-ftpd", "-", "5"),
    ),
    *_because(
        "a line that is too long is refused, and the session goes on",
        ("5000 bytes", A, "4", "5"),
        ("5000 bytes", P, "-", "5"),
    ),
    *_because(
        "REST takes a number",
        ("REST x", V, "3", "5"),
    ),
    # data connections
    *_because(
        "EPSV takes 1 and 2, the protocols that there are",
        ("EPSV 3", A, "2", "5"),
    ),
    *_because(
        "after EPSV ALL nothing but EPSV is taken (RFC 2428 4)",
        ("EPSV ALL", A, "2 2 2 5", "2 2 5 5"),
    ),
    *_because(
        "150 comes before the server connects, as waiting for that would stop other sessions",
        ("nobody listens", ALL, "2 4", "2 1 4"),
    ),
    *_because(
        "active data leaves from any port: a privileged one takes root",
        ("active source", f"vsftpd-box {A}", "20", "any"),
    ),
    *_because(
        "somebody else's data connection is dropped, and the client's own awaited",
        ("passive theft", "vsftpd proftpd", "4:", "1:"),
        ("passive theft", A, "-:", "1:"),
    ),
    # of single options
    *_because(
        "150 comes before the data connection",
        ("@unmet RETR pub/small", "vsftpd:accept_timeout", "4", "1 4"),
        ("@deaf RETR pub/small", "vsftpd:connect_timeout", "4", "1 4"),
    ),
    *_because(
        "a certificate that is demanded has to be vouched for: anybody can make one",
        (
            "@present strange.pem; @secure",
            "vsftpd:require_cert,ca_certs_file",
            "- TLSv1.2",
            "- failed",
        ),
    ),
    *_because(
        "data that has to be inside TLS is refused with EPSV already",
        (
            "@secure; @login; TYPE I; RETR pub/small",
            "vsftpd:force_anon_data_ssl",
            "TLSv1.2 2 2 5",
            "TLSv1.2 2 2 EPSV 5",
        ),
    ),
    *_because(
        "a data connection that resumes no TLS session is refused for good (522), not for now",
        (
            "@forget; @secure; @login; PBSZ 0; PROT P; TYPE I; RETR pub/small",
            "proftpd:TLSEngine,TLSRSACertificateFile,TLSRSACertificateKeyFile",
            "- TLSv1.2 2 2 2 2 4:",
            "- TLSv1.2 2 2 2 2 5:",
        ),
    ),
    *_because(
        "the directory itself, the one above and a link that leads out are in no listing",
        (
            "LIST pub",
            "proftpd:ListOptions",
            "2:[. .. .dot big deep inner outer private small]",
            "2:[.dot big deep inner private small]",
        ),
    ),
    *_because(
        "vsftpd holds a link's line to the pattern, with where it leads; ours its name",
        (
            "CWD pub; NLST",
            "vsftpd:hide_file",
            "2 2:[big deep outer private]",
            "2 2:[big deep inner outer private]",
        ),
    ),
    *_because(
        "an upload of nothing that broke off leaves no file",
        ("@stall STOR open/new", "vsftpd:data_connection_timeout", "1 4 | +open/new 0 …", "1 4"),
        ("@stall STOR open/new", "proftpd:TimeoutStalled", "1 0 | +open/new 0 …", "1 4"),
        ("STOR open/new (200000)", "proftpd:MaxStoreFileSize", "5 | +open/new 0 …", "5"),
    ),
    *_because(
        "a new name is made at random, not by counting",
        (
            "STOR open/there",
            "pure-ftpd-args:AutoRename",
            "2 | +open/there.1 6 644 ftp",
            "2 | +open/there.* 6 644 ftp",
        ),
    ),
    *_because(
        "a disk that is full may have room later (452)",
        ("STOR open/new", "pure-ftpd-args:MaxDiskUsage", "5", "4"),
    ),
    *_because(
        "a login that needs TLS is refused, and the session goes on (RFC 4217 12)",
        ("@login", "pure-ftpd-args:TLS,CertFile", "4", "5"),
    ),
    *_because(
        "REST before STOR is refused for good (550), not for now (451)",
        ("REST 2; STOR open/there", "proftpd:AllowOverwrite", "3 4", "3 5"),
    ),
    *_because(
        "who is one too many is told to come again (421)",
        (
            "@sessions 3",
            "proftpd:MaxClients proftpd:<Global>,MaxClients proftpd:MaxClientsPerHost "
            "proftpd:MaxClientsPerUser",
            "2 2 5",
            "2 2 4",
        ),
        ("@sessions 3", "proftpd:MaxConnectionsPerHost", "2 5 5", "2 4 4"),
        ("@sessions 3", "proftpd:MaxInstances", "2 0 0", "2 4 4"),
    ),
)
"""Every difference there is."""
