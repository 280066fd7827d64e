"""Other people's rules: as Docker, ufw and firewalld leave them, about their own affairs.

Two of them concern what ftpfw drops by default: datagrams to port DNS pass the gateway, and
whatever goes to a FRIEND outside.
"""

from __future__ import annotations

import subprocess

from ftpfw.ruleset.model import Family, Table

from .netns import run
from .rules_host import PROGRAM, SUFFIX
from .wires import QUIET

DNS = 53
FRIEND = {Family.IPV4: "198.51.100.99", Family.IPV6: "2001:db8:9::99"}

UFW_AND_DOCKER = f"""\
*raw
-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP
COMMIT
*mangle
-A FORWARD -o docker0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
COMMIT
*filter
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
:ufw-before-forward - [0:0]
:ufw-before-input - [0:0]
:ufw-user-input - [0:0]
-A INPUT -j ufw-before-input
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -j ufw-before-forward
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-USER -j RETURN
-A ufw-before-forward -p udp -m udp --dport {DNS} -j ACCEPT
-A ufw-before-forward -d {FRIEND[Family.IPV4]}/32 -j ACCEPT
-A ufw-before-forward -s 10.9.0.0/16 -m comment --comment "not ours: ftpfw-forward" -j ACCEPT
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 22 -m comment --comment ssh -j ACCEPT
COMMIT
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
COMMIT
"""

UFW6 = f"""\
*filter
:ufw6-before-forward - [0:0]
-A FORWARD -j ufw6-before-forward
-A ufw6-before-forward -p udp -m udp --dport {DNS} -j ACCEPT
-A ufw6-before-forward -d {FRIEND[Family.IPV6]}/128 -j ACCEPT
COMMIT
"""

FIREWALLD = """\
table inet firewalld {
	chain mangle_PREROUTING {
		type filter hook prerouting priority mangle + 10; policy accept;
		ct state invalid counter
	}

	chain nat_POSTROUTING {
		type nat hook postrouting priority srcnat + 10; policy accept;
		oifname "virbr0" masquerade
	}

	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state established,related accept
		iifname "virbr0" drop
	}

	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
		ct state established,related accept
		ct status dnat accept
		iifname "virbr0" drop
	}
}
table ip ftpfw {
	chain postrouting {
		type nat hook postrouting priority srcnat + 20; policy accept;
		oifname "ftpfw-like" masquerade
	}
}
"""


_IP = {Family.IPV4: "ip", Family.IPV6: "ip6"}
ERRORS = "icmp type destination-unreachable"
ERRORS6 = "icmpv6 type { destination-unreachable, packet-too-big }"
SHUT = (
    *((family, "-p tcp") for family in Family),
    (Family.IPV4, "-p icmp --icmp-type destination-unreachable"),
    (Family.IPV6, "-p icmpv6 --icmpv6-type destination-unreachable"),
    (Family.IPV6, "-p icmpv6 --icmpv6-type packet-too-big"),
)


class ForeignRules:
    """Foreign rules in a namespace, beside which ``firewall`` is to hold ours.

    iptables' are of the kind that the firewall is; beside nftables they are those of nf_tables.
    """

    def __init__(self, namespace: str, firewall: str) -> None:
        self._namespace = namespace
        self.firewall = firewall
        self._suffix = SUFFIX.get(firewall, "nft")

    def load(self) -> None:
        """Put all of them in, where nothing was."""
        self.take_away()
        for family, text in ((Family.IPV4, UFW_AND_DOCKER), (Family.IPV6, UFW6)):
            self._feed([f"{self._program(family)}-restore", "--noflush"], text)
        self._feed(["nft", "-f", "-"], FIREWALLD)

    def take_away(self) -> None:
        """Leave nothing, of anybody's; iptables-legacy has all its tables from then on."""
        emptied = "".join(f"*{table}\nCOMMIT\n" for table in Table)
        for program in PROGRAM.values():
            self._feed([f"{program}-legacy-restore"], emptied)
        for line in run(self._namespace, "nft", "list", "tables").splitlines():
            if line != f"table inet {QUIET}":
                run(self._namespace, "nft", "delete", *line.split())

    def saved(self) -> str:
        """All rules, byte for byte, but for counters."""
        parts = [run(self._namespace, "nft", "--stateless", "list", "ruleset")]
        if self._suffix == "legacy":
            parts += [_without_counters(self._save(family)) for family in Family]
        return "\n".join(parts)

    def accept_in_ours(self) -> None:
        """What the administrator has to write for nftables, where a drop of ours is one."""
        friends = [f"{_IP[family]} daddr {address}" for family, address in FRIEND.items()]
        for match in (f"udp dport {DNS}", *friends):
            rule = f"add rule inet ftpfw ftpfw-yours {match} accept"
            run(self._namespace, "nft", *rule.split())

    def shut(self) -> None:
        """A default of DROP for TCP, and errors about it, that this host gets or sends.

        It stands behind ours, which are to come. With nftables they have come: it stands in our
        chains, since one of somebody else's would drop what ours has accepted.
        """
        for chain in ("INPUT", "OUTPUT"):
            if self.firewall == "nftables":
                for match in ("meta l4proto tcp", ERRORS, ERRORS6):
                    rule = f"add rule inet ftpfw ftpfw-{chain.lower()} {match} drop"
                    run(self._namespace, "nft", *rule.split())
                continue
            for family, match in SHUT:
                rule = f"-A {chain} {match} -j DROP"
                run(self._namespace, self._program(family), *rule.split())

    def _save(self, family: Family) -> str:
        return run(self._namespace, f"{self._program(family)}-save")

    def _program(self, family: Family) -> str:
        return f"{PROGRAM[family]}-{self._suffix}"

    def _feed(self, argv: list[str], text: str) -> None:
        command = ["ip", "netns", "exec", self._namespace, *argv]
        subprocess.run(command, input=text, text=True, check=True, capture_output=True)


def _without_counters(saved: str) -> str:
    """iptables-save's text; builtin chains' lines hold counters, comments the time."""
    lines = (line for line in saved.splitlines() if not line.startswith("#"))
    return "\n".join(line.partition(" [")[0] if line[:1] == ":" else line for line in lines)
