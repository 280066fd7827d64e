"""What each option of the three daemons does: lines, and what then comes of a script.

The daemon itself has to answer so, and the embedded server too, but for what the table of
differences says. ``without`` is a configuration by which the embedded server answers otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftpfw.server.options import Form

from .ftp_servers import HERE, PORT
from .server_configurations import (
    PROFTPD_NO_USERS,
    PROFTPD_SITE,
    PURE,
    VSFTPD,
    VSFTPD_UPLOAD,
    A,
    P,
    V,
)


@dataclass(frozen=True, slots=True)
class Row:
    """Options that are shown together; ``asked`` are scripts with their answers.

    ``without``: empty where the difference would take too long, or cannot be seen.
    ``written``: files of the daemon and of ours that then have a text in them, in any case.
    ``at`` is where it answers; ``least_load`` what the machine's load has to be.
    """

    options: str
    form: Form
    text: str
    asked: tuple[tuple[str, str], ...]
    without: str = ""
    login: bool = True
    commands: str = ""
    written: tuple[str, str, str] | None = None
    at: tuple[str, int] = (HERE, PORT)
    by_inetd: bool = False
    least_load: float = 0.0

    @property
    def id(self) -> str:
        """Its name in the table of differences."""
        return f"{self.form}:{self.options.replace(' ', ',')}"


SIX = "::1"
IPV6 = VSFTPD.replace("listen=YES\nlisten_address=127.0.0.1\n", "listen_ipv6=YES\n")
READ = ("RETR pub/small", "2:small")
OTHER = VSFTPD_UPLOAD + "anon_other_write_enable=YES\nanon_umask=022\n"
CERTIFICATE = """
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server \\
    -keyout /etc/key.pem -out /etc/chain.pem 2>/dev/null
cat /etc/key.pem /etc/chain.pem > /etc/server.pem
"""


def _v(
    options: str,
    lines: str,
    *asked: tuple[str, str],
    base: str = VSFTPD_UPLOAD,
    same: bool = False,
    login: bool = True,
    commands: str = "",
    written: tuple[str, str, str] | None = None,
) -> Row:
    text = base + lines.replace("; ", "\n") + "\n"
    return Row(options, V, text, asked, "" if same else base, login, commands, written)


SYSLOG = """
mount -t tmpfs -o mode=0755 tmpfs /run/vsftpd
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /run/vsftpd
mkdir -p /run/vsftpd/empty
mount --bind /run/vsftpd /dev
python3 -c '
import os, socket
taken = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
taken.bind("/dev/log")
os.chmod("/dev/log", 0o666)
if os.fork():
    os._exit(0)
while True:
    line = taken.recv(65536)
    with open("/var/log/messages", "ab") as log:
        log.write(line + b"\\n")
'
"""
"""What takes the lines of syslog(3), in a /dev of the server's own, and puts them into a file."""

STRANGE = (
    CERTIFICATE
    + """
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=strange \\
    -keyout /etc/strange.pem -out /etc/strange.pem 2>/dev/null
"""
)
SECURED = "@secure; @login; PBSZ 0; PROT P; TYPE I; RETR pub/small"
SHOWN = (f"@present server.pem; {SECURED}", "- TLSv1.2 2 2 2 2 2:small")
BANNED = "deny_email_enable=YES; banned_email_file=/etc/banned; delay_failed_login=0"
BAN = "echo me@example.net > /etc/banned\n"
TLS = "ssl_enable=YES; allow_anon_ssl=YES; rsa_cert_file=/etc/server.pem"

VSFTPD_ROWS = (
    _v(
        "listen listen_address",
        "",
        ("@reach 127.0.0.2", "refused"),
        same=True,
    ),
    Row(
        "listen_ipv6",
        V,
        IPV6,
        (("PWD; @reach 127.0.0.1", "2 220"),),
        at=(SIX, PORT),
    ),
    Row(
        "listen_address6",
        V,
        IPV6 + f"listen_address6={SIX}\n",
        (("PWD; @reach 127.0.0.1", "2 refused"),),
        without=IPV6,
        at=(SIX, PORT),
    ),
    Row("listen_port", V, VSFTPD + "listen_port=2121\n", (READ,), at=(HERE, 2121)),
    _v("ftpd_banner", "ftpd_banner=Welcome.", ("@banner", "220 Welcome."), login=False),
    _v(
        "banner_file",
        "banner_file=/etc/banner",
        ("@text Hello there", "2:said"),
        login=False,
        commands="echo Hello there > /etc/banner\n",
        same=True,
    ),
    _v(
        "dirmessage_enable message_file",
        "dirmessage_enable=YES; message_file=note",
        ("@text Read me | CWD pub", "2:said"),
        commands="echo Read me > /srv/ftp/pub/note\n",
        same=True,
    ),
    _v("pasv_enable", "pasv_enable=NO", ("PASV; EPSV", "5 5")),
    _v(
        "port_enable",
        "port_enable=NO",
        ("PORT 127,0,0,1,200,1; EPRT |1|127.0.0.1|51201|", "5 5"),
    ),
    _v(
        "pasv_min_port pasv_max_port",
        "pasv_min_port=61300; pasv_max_port=61310",
        ("@passives 4 61300-61310", "in in in in"),
    ),
    _v("pasv_address", "pasv_address=192.0.2.7", ("@address", "192,0,2,7")),
    _v(
        "pasv_addr_resolve",
        "pasv_addr_resolve=YES; pasv_address=outside.test",
        ("@address", "192,0,2,9"),
        commands="echo 192.0.2.9 outside.test >> /etc/hosts\n",
    ),
    _v(
        "ftp_username",
        "ftp_username=keeper",
        ("STOR open/new", "2 | +open/new 6 600 keeper"),
        commands="chown keeper /srv/ftp/open; usermod --home /srv/ftp keeper\n",
    ),
    _v("anon_root", "anon_root=/srv/ftp/pub", ("RETR small", "2:small")),
    _v("no_anon_password", "no_anon_password=YES", ("USER ftp", "2"), login=False),
    _v(
        "deny_email_enable banned_email_file",
        BANNED,
        ("@login", "5"),
        login=False,
        commands=BAN,
    ),
    _v(
        "max_login_fails delay_failed_login",
        BANNED + "; max_login_fails=2",
        ("USER ftp; PASS me@example.net; USER ftp; PASS me@example.net; @end", "3 5 3 5 0"),
        login=False,
        commands=BAN,
        same=True,
    ),
    _v(
        "anon_world_readable_only",
        "anon_world_readable_only=NO",
        ("RETR incoming/there", "2:there"),
    ),
    _v(
        "write_enable anon_upload_enable",
        "write_enable=YES; anon_upload_enable=YES",
        ("STOR open/new", "2 | +open/new 6 600 ftp"),
        base=VSFTPD,
    ),
    _v(
        "anon_mkdir_write_enable",
        "anon_mkdir_write_enable=YES",
        ("MKD open/d", "2 | +open/d/ 700 ftp"),
    ),
    _v(
        "anon_other_write_enable",
        "anon_other_write_enable=YES",
        ("DELE open/two.txt", "2 | -open/two.txt"),
    ),
    _v("anon_umask", "anon_umask=022", ("STOR open/new", "2 | +open/new 6 644 ftp")),
    _v(
        "file_open_mode",
        "file_open_mode=0640; anon_umask=0",
        ("STOR open/new", "2 | +open/new 6 640 ftp"),
    ),
    _v(
        "chown_uploads chown_username chown_upload_mode",
        "chown_uploads=YES; chown_username=keeper; chown_upload_mode=0640",
        ("STOR open/new", "2 | +open/new 6 640 keeper"),
    ),
    _v("download_enable", "download_enable=NO", ("RETR pub/small", "5")),
    _v("dirlist_enable", "dirlist_enable=NO", ("LIST; NLST; CWD pub", "5 5 2")),
    _v("mdtm_write", "mdtm_write=NO", ("MFMT 20200101000000 open/there", "5"), base=OTHER),
    _v("cmds_allowed", "cmds_allowed=USER,PASS,TYPE,PWD,QUIT", ("PWD; SYST", "2 5")),
    _v("cmds_denied", "cmds_denied=SYST", ("PWD; SYST", "2 5")),
    _v("deny_file", "deny_file={big*}", ("RETR pub/big; STOR open/big1", "5 5")),
    _v(
        "hide_file",
        "hide_file={sm*}",
        ("CWD pub; NLST", "2 2:[big deep outer private]"),
        ("RETR pub/small", "2:small"),
    ),
    _v(
        "upload_file",
        "upload_file={*.dat}",
        ("STOR open/x.dat; STOR open/x.txt", "2 5 | +open/x.dat 6 600 ftp"),
    ),
    _v("download_file", "download_file={*mall}", ("RETR pub/small; RETR pub/big", "2:small 5")),
    _v("delete_failed_uploads", "delete_failed_uploads=YES", ("@break STOR open/new", "1 4")),
    _v("max_clients", "max_clients=2", ("@sessions 3", "2 4 4"), login=False),
    _v("max_per_ip", "max_per_ip=2", ("@sessions 2; @sessions 1 127.0.0.2", "2 4 2"), login=False),
    _v("idle_session_timeout", "idle_session_timeout=1", ("@end", "4 0"), same=True),
    _v(
        "data_connection_timeout",
        "data_connection_timeout=1",
        ("@stall STOR open/new", "1 4 | +open/new 0 600 ftp"),
        same=True,
    ),
    _v("accept_timeout", "accept_timeout=1", ("@unmet RETR pub/small", "4"), same=True),
    _v("connect_timeout", "connect_timeout=1", ("@deaf RETR pub/small", "4"), same=True),
    _v(
        "delay_successful_login",
        "delay_successful_login=1",
        ("USER ftp; @takes 0.9 PASS x", "3 2 slow"),
        login=False,
        same=True,
    ),
    _v(
        "ssl_enable allow_anon_ssl rsa_cert_file",
        TLS,
        (SECURED, "TLSv1.2 2 2 2 2 2:small"),
        ("@forget; " + SECURED, "- TLSv1.2 2 2 2 2 …"),
        commands=CERTIFICATE,
        login=False,
    ),
    _v(
        "rsa_private_key_file",
        TLS.replace("server", "chain") + "; rsa_private_key_file=/etc/key.pem",
        ("@secure", "TLSv1.2"),
        commands=CERTIFICATE,
        login=False,
    ),
    _v(
        "force_anon_logins_ssl",
        TLS + "; force_anon_logins_ssl=YES",
        ("@login", "5"),
        commands=CERTIFICATE,
        login=False,
    ),
    _v(
        "force_anon_data_ssl",
        TLS + "; force_anon_logins_ssl=YES; force_anon_data_ssl=YES",
        ("@secure; @login; TYPE I; RETR pub/small", "TLSv1.2 2 2 5"),
        commands=CERTIFICATE,
        login=False,
    ),
    _v(
        "ssl_ciphers",
        TLS + "; ssl_ciphers=ECDHE-RSA-AES128-GCM-SHA256",
        ("@secure; @cipher", "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256"),
        commands=CERTIFICATE,
        login=False,
        same=True,
    ),
    _v(
        "require_ssl_reuse",
        TLS + "; require_ssl_reuse=NO",
        ("@forget; " + SECURED, "- TLSv1.2 2 2 2 2 2:small"),
        commands=CERTIFICATE,
        login=False,
        same=True,
    ),
    _v(
        "require_cert ca_certs_file",
        TLS + "; require_cert=YES; ca_certs_file=/etc/chain.pem",
        ("@secure", "failed"),
        SHOWN,
        ("@present strange.pem; @secure", "- TLSv1.2"),
        commands=STRANGE,
        login=False,
    ),
    _v(
        "validate_cert",
        TLS + "; validate_cert=YES; ca_certs_file=/etc/chain.pem",
        (SECURED, "TLSv1.2 2 2 2 2 2:small"),
        SHOWN,
        ("@present strange.pem; @secure", "- failed"),
        commands=STRANGE,
        login=False,
    ),
    _v(
        "ssl_request_cert",
        TLS + "; ssl_request_cert=NO; require_cert=YES; validate_cert=YES",
        ("@secure", "TLSv1.2"),
        ("@present strange.pem; @secure", "- TLSv1.2"),
        commands=STRANGE,
        login=False,
    ),
    _v(
        "ssl_tlsv1",
        TLS + "; ssl_tlsv1=YES; ssl_ciphers=ALL:@SECLEVEL=0",
        ("@secure TLSv1", "TLSv1"),
        commands=CERTIFICATE,
        login=False,
        same=True,
    ),
    _v(
        "ssl_sslv2 ssl_sslv3",
        TLS + "; ssl_sslv2=YES; ssl_sslv3=YES; ssl_ciphers=ALL:@SECLEVEL=0",
        ("@hello SSLv2", "refused"),
        ("@hello SSLv3", "refused"),
        ("@hello TLSv1.2", "answered"),
        commands=CERTIFICATE,
        login=False,
        same=True,
    ),
    _v(
        "xferlog_enable xferlog_std_format xferlog_file",
        "xferlog_enable=YES; xferlog_std_format=YES; xferlog_file=/var/log/moved",
        ("RETR pub/small", "2:small"),
        written=("var/log/moved", "var/log/moved", "/pub/small b _ o a me@example.net ftp 0 * c"),
        same=True,
    ),
    _v(
        "vsftpd_log_file",
        "xferlog_enable=YES; vsftpd_log_file=/var/log/own",
        ("RETR pub/small", "2:small"),
        written=("var/log/own", "var/log/own", "/pub/small"),
        same=True,
    ),
    _v(
        "dual_log_enable",
        "dual_log_enable=YES; xferlog_file=/var/log/moved",
        ("RETR pub/small", "2:small"),
        written=("var/log/moved", "var/log/moved", "/pub/small"),
        same=True,
    ),
    _v(
        "syslog_enable",
        "xferlog_enable=YES; syslog_enable=YES",
        READ,
        commands=SYSLOG,
        written=("var/log/messages", "output", "/pub/small"),
        same=True,
    ),
    _v(
        "log_ftp_protocol",
        "xferlog_enable=YES; log_ftp_protocol=YES; vsftpd_log_file=/var/log/own",
        ("SYST", "2"),
        written=("var/log/own", "output", "SYST"),
        same=True,
    ),
    _v("hide_ids", "hide_ids=YES", ("@fields 2-3 pub/small", "ftp ftp")),
    _v("force_dot_files", "force_dot_files=YES", ("CWD pub; NLST", "2 2:[.dot …]")),
    _v(
        "use_localtime",
        "use_localtime=YES",
        ("@fields 5-7 pub/small", "Jun 16 2020"),
        commands="ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime\n"
        "touch -d '2020-06-15 23:30 UTC' /srv/ftp/pub/small\n",
        same=True,
    ),
)


def _a(
    options: str,
    flags: str,
    *asked: tuple[str, str],
    base: str = PURE + "-e",
    same: bool = False,
    login: bool = True,
    commands: str = "",
    written: tuple[str, str, str] | None = None,
) -> Row:
    text = f"{base} {flags}".strip()
    return Row(options, A, text, asked, "" if same else base, login, commands, written)


PURE_ROWS = (
    _a("Bind", "", ("@reach 127.0.0.2", "refused"), same=True),
    _a(
        "IPV4Only",
        "",
        ("@reach ::1", "refused"),
        base="pure-ftpd -4 -H -f none -e",
        same=True,
    ),
    Row(
        "IPV6Only",
        A,
        "pure-ftpd -6 -H -f none -e",
        (("PWD; @reach 127.0.0.1", "2 refused"),),
        without="pure-ftpd -H -f none -e",
        at=(SIX, PORT),
    ),
    _a("AnonymousOnly", "", ("@login somebody", "2"), login=False, same=True),
    _a(
        "PIDFile",
        "-g /run/moved.pid",
        ("NOOP", "2"),
        written=("run/moved.pid", "run/moved.pid", "\n"),
        same=True,
    ),
    _a(
        "FortunesFile",
        "-F /etc/fortunes",
        ("@text Hello there | @login", "…"),
        commands="echo Hello there > /etc/fortunes\n",
        login=False,
        same=True,
    ),
    _a("PassivePortRange", "-p 61300:61310", ("@passives 2 61300-61310", "in in")),
    _a("ForcePassiveIP", "-P 192.0.2.7", ("@address", "192,0,2,7")),
    _a("NATmode", "-N", ("PASV", "5")),
    _a("AnonymousCantUpload", "-i", ("STOR open/new", "5")),
    _a("AnonymousCanCreateDirs", "-M", ("MKD open/d", "2 | +open/d/ 755 ftp")),
    _a("AntiWarez", "-s", ("RETR open/public", "5")),
    _a("NoTruncate", "-0", ("STOR open/there", "2 | ~open/there 6 …")),
    _a("AutoRename", "-r", ("STOR open/there", "2 | +open/there.1 6 644 ftp")),
    _a("AllowDotFiles", "-z", ("RETR pub/.dot", "2:dot"), ("STOR open/.x", "5")),
    _a("ProhibitDotFilesRead", "-X -z", ("RETR pub/.dot; SIZE pub/.dot", "2:dot 2")),
    _a("ProhibitDotFilesWrite", "-x -z", ("STOR open/.x", "5"), same=True),
    _a(
        "Umask",
        "-M -U 137:027",
        ("STOR open/new; MKD open/d", "2 2 | +open/d/ 750 ftp | +open/new 6 640 ftp"),
    ),
    _a("MaxClientsNumber", "-c 2", ("@sessions 3", "2 4 4"), login=False),
    _a(
        "MaxClientsPerIP",
        "-C 2",
        ("@sessions 2; @sessions 1 127.0.0.2", "2 4 2"),
        login=False,
        base="pure-ftpd -4 -H -f none -e",
    ),
    _a("PerUserLimits", "-y 0:2", ("@sessions 3", "2 2 4"), login=False),
    _a(
        "MaxDiskUsage",
        "-k 50",
        ("STOR open/new", "5"),
        commands="mount -t tmpfs -o size=1m,mode=0777 tmpfs /srv/ftp/open\n"
        "head -c 700000 /dev/zero > /srv/ftp/open/full\n",
        same=True,
    ),
    Row(
        "MaxLoad",
        A,
        PURE + "-e -m 1",
        (("RETR pub/small", "5"), ("STOR open/new", "2 …")),
        PURE + "-e",
        least_load=1.0,
    ),
    _a(
        "TLS CertFile",
        "-Y 2 -2 /etc/server.pem",
        ("@login", "4"),
        (SECURED, "TLSv1.2 2 2 2 2 2:small"),
        commands=CERTIFICATE,
        login=False,
    ),
    _a(
        "TLSCipherSuite",
        "-Y 1 -2 /etc/server.pem -J ECDHE-RSA-AES128-GCM-SHA256",
        ("@secure; @cipher", "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256"),
        commands=CERTIFICATE,
        login=False,
        same=True,
    ),
    _a(
        "CertFile TLSCipherSuite",
        "-Y 1 -2 /etc/server.pem -J -C:HIGH",
        ("@secure", "failed"),
        SHOWN,
        ("@present strange.pem; @secure", "- failed"),
        commands=STRANGE,
        login=False,
    ),
    _a(
        "AltLog",
        "-O xferlog:/var/log/moved",
        ("RETR pub/small", "2:small"),
        written=("var/log/moved", "var/log/moved", "/pub/small"),
        same=True,
    ),
    _a(
        "VerboseLog",
        "-d",
        ("SYST", "2"),
        base="pure-ftpd -S 127.0.0.1, -4 -H -f ftp -e",
        commands=SYSLOG,
        written=("var/log/messages", "output", "syst"),
        same=True,
    ),
    _a("LimitRecursion", "-L 3:1", ("@count NLST pub", "2:3")),
)


def _p(
    options: str,
    server: str,
    section: str,
    *asked: tuple[str, str],
    base: str = PROFTPD_NO_USERS + PROFTPD_SITE.format(""),
    same: bool = False,
    login: bool = True,
    commands: str = "",
    written: tuple[str, str, str] | None = None,
) -> Row:
    lines = f"{server}\n" if server else ""
    text = lines + PROFTPD_NO_USERS + PROFTPD_SITE.format(f"{section}\n" if section else "")
    return Row(options, P, text, asked, "" if same else base, login, commands, written)


SECURE = "LoadModule mod_tls.c\nTLSEngine on\nTLSRSACertificateFile /etc/chain.pem\n"
SECURE += "TLSRSACertificateKeyFile /etc/key.pem\n"
SECURE_OLD = SECURE + "TLSProtocol TLSv1 TLSv1.2\nTLSCipherSuite ALL:@SECLEVEL=0"

PROFTPD_ROWS = (
    _p("DefaultAddress SocketBindTight", "", "", ("@reach 127.0.0.2", "refused"), same=True),
    _p("UseIPv6", "", "", ("@reach ::1", "refused"), same=True),
    Row(
        "Port",
        P,
        "Port 2121\n" + PROFTPD_NO_USERS + PROFTPD_SITE.format(""),
        (READ,),
        at=(HERE, 2121),
    ),
    Row(
        "ServerType",
        P,
        "ServerType inetd\n" + PROFTPD_NO_USERS + PROFTPD_SITE.format(""),
        (READ,),
        by_inetd=True,
    ),
    _p("ServerIdent", 'ServerIdent on "Hello."', "", ("@text Hello.", "2:said"), login=False),
    _p(
        "PidFile",
        "PidFile /run/moved.pid",
        "",
        ("NOOP", "2"),
        written=("run/moved.pid", "run/moved.pid", "\n"),
        same=True,
    ),
    _p(
        "PersistentPasswd UserOwner",
        "PersistentPasswd on",
        "UserOwner keeper",
        ("STOR open/new", "2 | +open/new 6 644 keeper"),
    ),
    _p(
        "DisplayConnect",
        "DisplayConnect /etc/hello",
        "",
        ("@text Hello there", "2:said"),
        login=False,
        commands="echo Hello there > /etc/hello\n",
        same=True,
    ),
    _p(
        "DisplayChdir",
        "",
        "DisplayChdir note",
        ("@text Read me | CWD pub", "2:said"),
        commands="echo Read me > /srv/ftp/pub/note\n",
        same=True,
    ),
    _p(
        "DisplayLogin",
        "",
        "DisplayLogin note",
        ("USER ftp; @text Read me | PASS x@y", "3 2:said"),
        login=False,
        commands="echo Read me > /srv/ftp/note\n",
        same=True,
    ),
    _p(
        "DisplayQuit",
        "DisplayQuit /etc/hello",
        "",
        ("@text Hello there | QUIT", "2:said"),
        login=False,
        commands="echo Hello there > /etc/hello\n",
        same=True,
    ),
    _p("PassivePorts", "PassivePorts 61300 61310", "", ("@passives 2 61300-61310", "in in")),
    _p("MasqueradeAddress", "MasqueradeAddress 192.0.2.7", "", ("@address", "192,0,2,7")),
    _p(
        "<Anonymous> User",
        "",
        "",
        ("STOR open/new", "2 | +open/new 6 644 ftp"),
        same=True,
    ),
    _p("UserAlias", "", "UserAlias guest ftp", ("@login guest", "2"), login=False),
    _p("AuthAliasOnly", "", "AuthAliasOnly on", ("@login ftp", "5"), login=False),
    _p(
        "<Limit> DenyAll",
        "",
        "<Limit STOR>\nDenyAll\n</Limit>",
        ("STOR open/new", "5"),
    ),
    _p(
        "AllowAll <Directory>",
        "",
        "<Limit STOR>\nDenyAll\n</Limit>\n<Directory /srv/ftp/open>\n<Limit STOR>\nAllowAll\n"
        "</Limit>\n</Directory>",
        ("STOR open/new; STOR incoming/new", "2 5 | +open/new 6 644 ftp"),
    ),
    _p(
        "Order Deny",
        "",
        "<Limit DELE>\nOrder deny,allow\nDeny from all\n</Limit>",
        ("DELE open/there", "5"),
    ),
    _p(
        "Allow",
        "",
        "<Limit DELE>\nOrder allow,deny\nAllow from all\nDeny from all\n</Limit>",
        ("DELE open/there", "2 | -open/there"),
        same=True,
    ),
    _p(
        "AllowOverwrite",
        "",
        "AllowOverwrite on",
        ("STOR open/there", "2 | ~open/there 6 644 ftp"),
        ("REST 2; STOR open/there", "3 4"),
    ),
    _p(
        "<Anonymous> AllowOverwrite",
        "",
        "AllowOverwrite off",
        ("MKD open/d; RNFR open/d; RNTO open/e", "2 3 2 | +open/e/ 755 ftp"),
        (
            "MKD open/d; MKD open/e; RNFR open/d; RNTO open/e",
            "2 2 3 5 | +open/d/ 755 ftp | +open/e/ 755 ftp",
        ),
        ("RNFR open/there; RNTO open/two.txt", "3 5"),
        ("RNFR open/there; RNTO open/other", "3 2 | +open/other 5 644 ftp | -open/there"),
        same=True,
    ),
    _p(
        "AllowStoreRestart",
        "",
        "AllowOverwrite on\nAllowStoreRestart on",
        ("REST 2; STOR open/there", "3 2 | ~open/there 8 644 ftp"),
        ("APPE open/there", "2 | ~open/there 11 644 ftp"),
        same=True,
    ),
    _p(
        "HiddenStores",
        "",
        "HiddenStores on",
        ("@break STOR open/new", "1 4"),
    ),
    _p("DeleteAbortedStores", "", "DeleteAbortedStores on", ("@break STOR open/new", "1 4")),
    _p(
        "Umask",
        "",
        "Umask 0137 0027",
        ("STOR open/new; MKD open/d", "2 2 | +open/d/ 750 ftp | +open/new 6 640 ftp"),
    ),
    _p(
        "PathAllowFilter",
        "",
        'PathAllowFilter "[.]dat$"',
        ("STOR open/x.dat; STOR open/x.txt", "2 5 | +open/x.dat 6 644 ftp"),
    ),
    _p("PathDenyFilter", "", 'PathDenyFilter "[.]exe$"', ("STOR open/x.exe", "5")),
    _p(
        "MaxStoreFileSize",
        "",
        "MaxStoreFileSize 100 Kb",
        ("STOR open/new (200000)", "5 | +open/new … 644 ftp"),
    ),
    _p("MaxClients", "", "MaxClients 2", ("@sessions 3", "2 2 5"), login=False),
    _p(
        "<Global> MaxClients",
        "<Global>\nMaxClients 2\n</Global>",
        "",
        ("@sessions 3", "2 2 5"),
        login=False,
    ),
    _p("MaxClientsPerHost", "MaxClientsPerHost 2", "", ("@sessions 3", "2 2 5"), login=False),
    _p("MaxClientsPerUser", "MaxClientsPerUser 2", "", ("@sessions 3", "2 2 5"), login=False),
    _p(
        "MaxConnectionsPerHost",
        "MaxConnectionsPerHost 2",
        "",
        ("@sessions 3", "2 5 5"),
        login=False,
    ),
    _p("MaxInstances", "MaxInstances 2", "", ("@sessions 3", "2 0 0"), login=False),
    _p("TimeoutIdle", "TimeoutIdle 1", "", ("@end", "4 0"), same=True),
    _p("TimeoutLogin", "TimeoutLogin 1", "", ("@end", "4 0"), login=False, same=True),
    _p("TimeoutNoTransfer", "TimeoutNoTransfer 1", "", ("@end", "4 0"), same=True),
    _p(
        "TimeoutStalled",
        "TimeoutStalled 1",
        "",
        ("@stall STOR open/new", "1 0 | +open/new 0 644 ftp"),
        same=True,
    ),
    _p("TimeoutSession", "", "TimeoutSession 1", ("@end", "4 0"), same=True),
    _p(
        "MaxLoginAttempts",
        "MaxLoginAttempts 2",
        "",
        ("USER x; PASS y; USER x; PASS y; @end", "3 5 3 5 0"),
        login=False,
        same=True,
    ),
    _p(
        "TLSEngine TLSRSACertificateFile TLSRSACertificateKeyFile",
        SECURE,
        "",
        (SECURED, "TLSv1.2 2 2 2 2 2:small"),
        ("@forget; " + SECURED, "- TLSv1.2 2 2 2 2 …"),
        commands=CERTIFICATE,
        login=False,
    ),
    _p(
        "TLSRequired",
        SECURE + "TLSRequired on",
        "",
        ("@login", "5"),
        commands=CERTIFICATE,
        login=False,
    ),
    _p(
        "TLSOptions",
        SECURE + "TLSOptions NoSessionReuseRequired",
        "",
        ("@forget; " + SECURED, "- TLSv1.2 2 2 2 2 2:small"),
        commands=CERTIFICATE,
        login=False,
        same=True,
    ),
    _p(
        "TLSVerifyClient TLSCACertificateFile",
        SECURE + "TLSVerifyClient on\nTLSCACertificateFile /etc/chain.pem",
        "",
        ("@secure", "failed"),
        SHOWN,
        ("@present strange.pem; @secure", "- failed"),
        commands=STRANGE,
        login=False,
    ),
    _p(
        "TLSVerifyClient",
        SECURE + "TLSVerifyClient optional\nTLSCACertificateFile /etc/chain.pem",
        "",
        (SECURED, "TLSv1.2 2 2 2 2 2:small"),
        SHOWN,
        ("@present strange.pem; @secure", "- failed"),
        commands=STRANGE,
        login=False,
    ),
    _p(
        "TLSProtocol TLSCipherSuite",
        SECURE_OLD,
        "",
        ("@secure TLSv1", "TLSv1"),
        commands=CERTIFICATE,
        login=False,
        same=True,
    ),
    Row(
        "TransferLog",
        P,
        PROFTPD_NO_USERS.replace("TransferLog none", "TransferLog /var/log/moved")
        + PROFTPD_SITE.format(""),
        (("RETR pub/small", "2:small"),),
        written=("var/log/moved", "var/log/moved", "/pub/small b _ o a"),
    ),
    _p(
        "ExtendedLog",
        "ExtendedLog /var/log/all ALL",
        "",
        ("SYST", "2"),
        written=("var/log/all", "output", "SYST"),
        same=True,
    ),
    _p(
        "DirFakeUser DirFakeGroup",
        "",
        "DirFakeUser on ftp\nDirFakeGroup on ftp",
        ("@fields 2-3 pub/small", "ftp ftp"),
    ),
    _p(
        "HideNoAccess",
        "",
        "HideNoAccess on",
        ("LIST pub", "2:[big deep inner outer small]"),
        ("LIST", "2:[open pub]"),
        ("NLST", "2:[open pub]"),
        ("CWD incoming; CWD pub", "5 2"),
        commands="chmod 0700 /srv/ftp/incoming\n",
    ),
    _p("ListOptions", "", 'ListOptions "-a"', ("LIST pub", "2:[. .. .dot …]")),
    _p(
        "TimesGMT",
        "TimesGMT off",
        "",
        ("@fields 5-7 pub/small", "Jun 16 2020"),
        commands="ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime\n"
        "touch -d '2020-06-15 23:30 UTC' /srv/ftp/pub/small\n",
        same=True,
    ),
)

OPTIONS = (*VSFTPD_ROWS, *PURE_ROWS, *PROFTPD_ROWS)
