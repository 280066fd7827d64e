"""Every option of the three daemons with values that are not its default, where they say something.

A row is an option, the lines that give it another value, and lines it needs around it to have any
effect; these go before the base's own. What no row is for is named with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftpfw.server.options import Form, Option
from ftpfw.server.proftpd.table import ROWS as PROFTPD_ROWS
from ftpfw.server.pureftpd.table import ROWS as PURE_ROWS
from ftpfw.server.pureftpd.table import YES_NO as PURE_YES_NO
from ftpfw.server.vsftpd.table import ROWS as VSFTPD_ROWS
from ftpfw.server.vsftpd.table import YES_NO


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration without an option, and with it."""

    option: str
    form: Form
    without: str
    given: str
    place: str
    line: str

    def __str__(self) -> str:
        return f"{self.form}-{self.place}-{self.line.strip()}".replace("\n", " ")


VSFTPD_BASE = {
    "listen": "YES",
    "anonymous_enable": "YES",
    "local_enable": "YES",
    "write_enable": "YES",
    "anon_upload_enable": "YES",
    "anon_mkdir_write_enable": "YES",
    "ssl_enable": "YES",
    "allow_anon_ssl": "YES",
    "force_anon_logins_ssl": "YES",
    "xferlog_enable": "YES",
    "file_open_mode": "0664",
    "anon_umask": "02",
}
VSFTPD_NEEDS: dict[str, dict[str, str]] = {
    "listen_ipv6": {"listen": "NO"},
    "listen_address6": {"listen": "NO", "listen_ipv6": "YES"},
    "message_file": {"dirmessage_enable": "YES"},
    "ftp_data_port": {"connect_from_port_20": "YES"},
    "banned_email_file": {"deny_email_enable": "YES"},
    "chown_username": {"chown_uploads": "YES"},
    "chown_upload_mode": {"chown_uploads": "YES"},
    "chroot_list_file": {"chroot_list_enable": "YES"},
    "userlist_deny": {"userlist_enable": "YES"},
    "userlist_file": {"userlist_enable": "YES"},
    "pasv_address": {"pasv_addr_resolve": "YES"},
    "mdtm_write": {"anon_other_write_enable": "YES"},
    "ssl_request_cert": {"require_cert": "YES"},
    "xferlog_file": {"xferlog_std_format": "YES"},
}
VSFTPD_TEXTS: dict[str, tuple[str, ...]] = {
    "listen_address": ("192.0.2.7",),
    "listen_address6": ("2001:db8::7",),
    "ftpd_banner": ("Hello there.", 'a "quoted" # one'),
    "pasv_address": ("192.0.2.7", "ftp.test"),
    "ftp_username": ("guest",),
    "cmds_allowed": ("USER,PASS,QUIT,PASV,EPSV,LIST,RETR,CWD",),
    "cmds_denied": ("STOU,SITE", "DELE"),
    "deny_file": ("{.*}", "{*.exe}"),
    "hide_file": ("{*.bak}",),
    "upload_file": ("*.dat",),
    "download_file": ("*.dat",),
    "nopriv_user": ("ftpsecure",),
    "pam_service_name": ("ftp",),
    "ssl_ciphers": ("HIGH", ""),
}
VSFTPD_NUMBERS: dict[str, tuple[str, ...]] = {
    "pasv_min_port": ("50000",),
    "pasv_max_port": ("50000",),
    "file_open_mode": ("0640", "0777", "07777"),
    "anon_umask": ("0137", "0", "07077"),
    "local_umask": ("0137", "0", "022"),
    "chown_upload_mode": ("0644", "0640"),
    "listen_port": ("2121", "65535"),
    "ftp_data_port": ("2020",),
}
_NUMBERS = ("0", "1", "7", "90000", "2147483647", "4294967295")


def _vsftpd_values(name: str, kind: str, before: str) -> tuple[str, ...]:
    if kind == YES_NO:
        return ("NO" if before == "YES" else "YES",)
    if kind == "text":
        return VSFTPD_TEXTS.get(name, ("/etc/other",))
    return VSFTPD_NUMBERS.get(name, _NUMBERS)


def _case(name: str, form: Form, without: str, text: str, line: str) -> Case:
    return Case(name, form, without, text + line, "", line)


def vsftpd_cases() -> list[Case]:
    cases = []
    for row in VSFTPD_ROWS:
        if row.name == "pasv_addr_resolve":  # what pasv_address may be, and no setting
            continue
        base = VSFTPD_BASE | VSFTPD_NEEDS.get(row.name, {})
        before = base.pop(row.name, "") or row.default
        text = "".join(f"{name}={value}\n" for name, value in base.items())
        without = f"{text}{row.name}={before}\n" if before != row.default else text
        for value in _vsftpd_values(row.name, row.kind, before):
            if value != before:
                cases.append(_case(row.name, Form.VSFTPD, without, text, f"{row.name}={value}\n"))
    return cases


PURE_BASE = {"TLS": "1", "AnonymousCanCreateDirs": "yes"}
PURE_NEEDS: dict[str, dict[str, str]] = {
    "ProhibitDotFilesWrite": {"AllowDotFiles": "yes"},
    "ProhibitDotFilesRead": {"AllowDotFiles": "yes"},
}
PURE_VALUES: dict[str, tuple[str, ...]] = {
    "SyslogFacility": ("none", "local3"),
    "Bind": ("2121", "192.0.2.7,", "192.0.2.7,2121", "2001:db8::7,21", "ftp.test,"),
    "PassivePortRange": ("50000 50100", "50000 50000"),
    "ForcePassiveIP": ("192.0.2.7", "ftp.test"),
    "MinUID": ("500", "4294967295"),
    "TrustedGID": ("0", "100"),
    "Umask": ("177:077", "000:000"),
    "MaxClientsNumber": ("7", "2147483648"),
    "MaxClientsPerIP": ("7", "2147483648"),
    "MaxLoad": ("7",),
    "MaxDiskUsage": ("80",),
    "MaxIdleTime": ("7", "90000"),
    "PerUserLimits": ("3:20", "0:5", "5:0"),
    "AnonymousBandwidth": ("20", "20 30", "1000000"),
    "UserBandwidth": ("20", "20 30"),
    "AnonymousRatio": ("1 10",),
    "UserRatio": ("1 10",),
    "Quota": ("1000:10", "0:10", "10:0"),
    "TLS": ("0", "2", "3"),
    "CertFile": ("/etc/a.pem", "/etc/a.pem,/etc/a.key"),
    "TLSCipherSuite": ("HIGH", "-C:HIGH", "-C:"),
    "AltLog": ("clf:/var/log/x", "w3c:/var/log/x", "xferlog:/var/log/x", "stats:/var/log/x"),
    "LimitRecursion": ("3000 3", "10000 1"),
    "UnixAuthentication": ("yes",),
    "PAMAuthentication": (),
    "Help": (),
    "FSCharset": (),
    "ClientCharset": (),
}


def pure_cases() -> list[Case]:
    cases = []
    for row in PURE_ROWS:
        base = PURE_BASE | PURE_NEEDS.get(row.name, {})
        before = base.pop(row.name, "")
        text = "".join(f"{name} {value}\n" for name, value in base.items())
        opposite = ("no" if before == "yes" else "yes",) if row.kind == PURE_YES_NO else ("/etc/x",)
        without = f"{text}{row.name} {before}\n" if before else text
        cases += [
            _case(row.name, Form.PURE_CONF, without, text, f"{row.name} {value}\n")
            for value in PURE_VALUES.get(row.name, opposite)
        ]
    return cases


PROFTPD_BASE = "PersistentPasswd on\nTLSEngine on\nDefaultAddress 192.0.2.9\nAllowOverwrite on\n"
PROFTPD_SECTION = "User ftp\nUserAlias anonymous ftp\nRequireValidShell off\n"
PROFTPD_VALUES: dict[str, tuple[str, ...]] = {
    "ServerType": ("inetd",),
    "ServerIdent": ("off", 'on "Hello."'),
    "Port": ("2121", "2122"),
    "DefaultAddress": (),  # in the base
    "User": ("guest",),
    "Group": ("guest",),
    "PidFile": ("/run/x",),
    "AllowForeignAddress": ("on", "friends"),
    "UserAlias": ("bob ftp", "* ftp", "bob alice"),
    "DefaultRoot": ("~", "/srv", "~ !staff"),
    "AuthOrder": ("mod_auth_unix.c", "mod_auth_pam.c* mod_auth_unix.c", "mod_sql.c"),
    "AuthUserFile": ("/etc/x", "/etc/x id 1000-1999"),
    "AnonRejectPasswords": ("^root",),
    "AllowFilter": ("^[a-z]",),
    "DenyFilter": ("[%]",),
    "HideUser": ("root",),
    "HideGroup": ("root",),
    "HideFiles": ("[.]bak$",),
    "MaxRetrieveFileSize": ("1 Mb",),
    "MaxStoreFileSize": ("1 Mb", "1 Mb user bob"),
    "UserOwner": ("keeper",),
    "GroupOwner": ("keeper",),
    "PathAllowFilter": ("[.]dat$",),
    "PathDenyFilter": ("[.]exe$", '"(^|/)\\\\.[^/]*$"'),
    "Umask": ("0137", "0137 0027"),
    "HiddenStores": ("on", ".tmp"),
    "StoreUniquePrefix": ("x",),
    "MaxInstances": ("7",),
    "MaxClients": ("7", '7 "%m at most"'),
    "MaxClientsPerHost": ("7",),
    "MaxClientsPerUser": ("7",),
    "MaxHostsPerUser": ("7",),
    "MaxConnectionsPerHost": ("7",),
    "MaxConnectionRate": ("7",),
    "MaxCommandRate": ("7",),
    "MaxTransfersPerHost": ("RETR 7",),
    "MaxTransfersPerUser": ("RETR 7",),
    "TransferRate": ("RETR 20", "STOR 20", "RETR 20:100", "RETR 20 user bob"),
    "TimeoutSession": ("70", "70 user bob"),
    "MaxLoginAttempts": ("7", "none"),
    "TLSRequired": ("on", "ctrl", "data", "auth", "auth+data", "auth+!data", "!data"),
    "TLSRSACertificateFile": ("/etc/x",),
    "TLSRSACertificateKeyFile": ("/etc/x",),
    "TLSCipherSuite": ("HIGH",),
    "TLSOptions": (
        "NoSessionReuseRequired",
        "UseImplicitSSL",
        "CommonNameRequired",
        "AllowClientRenegotiations",
        "UseImplicitSSL dNSNameRequired",
    ),
    "TLSVerifyClient": ("on", "optional"),
    "TLSCACertificateFile": ("/etc/x",),
    "TLSProtocol": ("SSLv3 TLSv1.2", "TLSv1.2", "ALL -TLSv1.1"),
    "TransferLog": ("none", "/var/log/x"),
    "SystemLog": ("none", "/var/log/x"),
    "SyslogFacility": ("LOCAL3",),
    "ExtendedLog": ("/var/log/x", "/var/log/x READ"),
    "DirFakeUser": ("on", "on ftp"),
    "DirFakeGroup": ("on", "on ftp"),
    "ListOptions": ("-a", '"-l" maxdepth 3', '"-l" maxfiles 7', "-A", '"-l" maxdirs 7'),
    "DisplayConnect": ("/etc/x",),
    "DisplayLogin": ("x",),
    "DisplayChdir": ("x", "x true"),
    "DisplayQuit": ("/etc/x",),
    "PassivePorts": ("50000 50100",),
    "MasqueradeAddress": ("192.0.2.7", "ftp.test"),
}
"""The others take on or off, or a time."""

PROFTPD_SHAPE = {
    # what is no setting of its own
    *("AllowAll", "DenyAll", "Allow", "Deny", "Order", "AllowUser", "DenyUser", "AllowGroup"),
    *("DenyGroup", "AllowClass", "DenyClass", "IgnoreHidden", "From", "Satisfy", "Define"),
    *("Include", "LoadModule", "ModulePath"),
}

PROFTPD_TIMES = ("0", "7", "2m", "90000")
PROFTPD_LIMITS = (
    "STOR", "RETR", "LIST", "WRITE", "READ", "DIRS", "ALL", "SITE_CHMOD", "SITE_CPFR", "SYST",
    "CWD", "PASV", "PORT", "STOU", "RNTO", "OPTS_MLST", "SIZE", "MFMT", "LOGIN",
)  # fmt: skip

_PLACES = {
    # where a line stands: what is around it
    "server": "{}" + f"<Anonymous /srv/ftp>\n{PROFTPD_SECTION}</Anonymous>\n",
    "global": "<Global>\n{}</Global>\n" + f"<Anonymous /srv/ftp>\n{PROFTPD_SECTION}</Anonymous>\n",
    "section": f"<Anonymous /srv/ftp>\n{PROFTPD_SECTION}" + "{}</Anonymous>\n",
    "box": f"<Anonymous /srv/ftp>\n{PROFTPD_SECTION}<Limit WRITE>\nDenyAll\n</Limit>\n"
    "<Directory /srv/ftp/in>\n<Limit STOR APPE>\nAllowAll\n</Limit>\n{}</Directory>\n"
    "</Anonymous>\n",
    "directory": f"<Anonymous /srv/ftp>\n{PROFTPD_SECTION}<Directory /srv/ftp/pub>\n"
    "{}</Directory>\n</Anonymous>\n",
    "anywhere": "<Directory /srv>\n{}</Directory>\n"
    f"<Anonymous /srv/ftp>\n{PROFTPD_SECTION}</Anonymous>\n",
}
_LETTERS = {
    "server": "s",
    "global": "g",
    "section": "a",
    "box": "d",
    "directory": "d",
    "anywhere": "d",
}
_SAID_ALREADY = {
    ("PersistentPasswd", "server"),
    ("TLSEngine", "server"),
    ("TLSEngine", "global"),
    *(("AllowOverwrite", place) for place in ("server", "global", "section", "box")),
}
"""What the base says, so that others have an effect."""

_DENIED_ALREADY = {("box", verb) for verb in ("WRITE", "SITE_CHMOD", "RNTO", "MFMT")}
"""What the section with a drop box in it denies."""

_BY_THE_FIRST = {"User", "RequireValidShell", "UserAlias"}
"""What the section has already: its own line goes before."""


def _proftpd_values(row: Option) -> tuple[str, ...]:
    if row.name in PROFTPD_VALUES:
        return PROFTPD_VALUES[row.name]
    if row.name.startswith("Timeout"):
        return PROFTPD_TIMES
    return ("off",) if row.default == "on" else ("on",)


def proftpd_cases() -> list[Case]:
    directives = [
        (row.name, place, f"{row.name} {value}\n")
        for row in PROFTPD_ROWS
        if not row.name.startswith("<") and row.name not in PROFTPD_SHAPE
        for place, letter in _LETTERS.items()
        if letter in row.kind and (row.name, place) not in _SAID_ALREADY
        for value in _proftpd_values(row)[: None if place in {"server", "section"} else 1]
    ]
    limits = [
        ("<Limit>", place, f"<Limit {verb}>\n{line}\n</Limit>\n")
        for place in _PLACES
        for verb in (PROFTPD_LIMITS if place != "global" else ("STOR",))
        for line in ("DenyAll", "Deny from 192.0.2.1", "DenyUser bob")
        if (place, verb) not in _DENIED_ALREADY
        and (verb != "LOGIN" or place in {"server", "section", "global"})
        and (line == "DenyAll" or verb == "STOR")
    ]
    cases = []
    for name, place, line in (*directives, *limits):
        around = PROFTPD_BASE + _PLACES[place]
        if place == "section" and name in _BY_THE_FIRST:
            around = around.replace(PROFTPD_SECTION, "")
        cases.append(Case(name, Form.PROFTPD, around.format(""), around.format(line), place, line))
    return cases


NO_CASE = {
    "pasv_addr_resolve": "what pasv_address may be, and no setting",
    "PAMAuthentication": "where accounts are by themselves",
    "Help": "it prints the flags",
    "FSCharset": "pure-ftpd.conf does not have it, and it does nothing",
    "ClientCharset": "pure-ftpd.conf does not have it, and it does nothing",
    "PersistentPasswd": "in every case: UserOwner shows it",
    "TLSEngine": "in every case: TLSRequired shows it",
    "DefaultAddress": "in every case; without SocketBindTight it is nothing",
    **dict.fromkeys(PROFTPD_SHAPE, "what another row is made of"),
    **{
        row.name: "what other rows are made of"
        for row in PROFTPD_ROWS
        if row.name.startswith("<") and row.name != "<Limit>"
    },
}
"""Option → why there is no case of it."""

CASES = [*vsftpd_cases(), *pure_cases(), *proftpd_cases()]
