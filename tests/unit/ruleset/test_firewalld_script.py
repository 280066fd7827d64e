"""The script for firewalld as it runs, with a firewall-cmd that says what the test wants.

A real firewalld is in ``tests/kernel/test_firewalld.py``; here is what it takes long to bring
about there: files of every kind that are there before, hosts that will not do, failures.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftpfw.ruleset.firewalld import render_script
from ftpfw.ruleset.policy import Backend
from ftpfw.ruleset.policy_file import read_policy
from tests.unit.ruleset.samples import MINIMAL
from tests.unit.table import table

FIREWALL_CMD = """\
#!/bin/sh
echo "$*" >>"$STUB/calls"
last=
for word in "$@"; do last=$word; done
case "$*" in
    --get-active-zones) cat "$STUB/zones" ;;
    --permanent*) cat "$STUB/permanent$last" 2>/dev/null || : ;;
    *--list-*|*--get-*) cat "$STUB/runtime$last" 2>/dev/null || : ;;
    *) if grep -qx -e "$last" "$STUB/failing"; then exit 1; fi ;;
esac
"""

PROGRAMS = {
    "firewall-cmd": FIREWALL_CMD,
    "id": "#!/bin/sh\necho 0\n",
    "sysctl": '#!/bin/sh\ncat "$STUB/forwarding"\n',
    "nft": "#!/bin/sh\nexit 1\n",
}

ZONES = "internal\n  interfaces: eth1\npublic (default)\n  interfaces: eth0\n"

DIRECT = """\
<?xml version="1.0" encoding="utf-8"?>
<direct>
  <rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-s 198.51.100.1 -j DROP</rule>
</direct>
"""


@dataclass(frozen=True, slots=True)
class Host:
    """A host that seems to have a firewalld."""

    directory: Path

    @property
    def config(self) -> Path:
        return self.directory / "etc"

    def stub(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def run(self, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
            "STUB": str(self.directory),
            "FIREWALLD_CONFIG": str(self.config),
            "TMPDIR": str(self.directory / "tmp"),
        }
        return subprocess.run(
            ["sh", "-s", *arguments],
            input=text,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        """What firewall-cmd was told to do."""
        calls = (self.directory / "calls").read_text().splitlines()
        return [call for call in calls if call.startswith("--quiet")]

    def files(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.config)): path.read_text()
            for path in self.config.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    for name in ("bin", "tmp", *(f"etc/{part}" for part in ("helpers", "services", "policies"))):
        (tmp_path / name).mkdir(parents=True)
    for name, text in PROGRAMS.items():
        made.stub(f"bin/{name}", text)
        (tmp_path / "bin" / name).chmod(0o755)
    made.stub("etc/firewalld.conf", "FirewallBackend=nftables\n")
    made.stub("etc/policies/mine.xml", "<policy/>\n")
    made.stub("zones", ZONES)
    made.stub("forwarding", "1\n")
    made.stub("failing", "")
    made.stub("calls", "")
    return made


def script(policy: str = MINIMAL, backend: Backend = Backend.KERNEL) -> str:
    return render_script(read_policy(policy, "p.toml"), backend)


BEFORE = [
    ("no direct.xml", None),
    ("an empty direct.xml", '<?xml version="1.0" encoding="utf-8"?>\n<direct>\n</direct>\n'),
    ("rules of others", DIRECT),
    ("a comment after the end", f"{DIRECT}<!-- mine -->\n"),
]


@pytest.mark.parametrize("direct", **table(BEFORE))
def test_what_is_removed_was_never_there(host: Host, direct: str | None) -> None:
    if direct is not None:
        host.stub("etc/direct.xml", direct)
    before = host.files()
    assert host.run(script()).returncode == 0
    loaded = host.files()
    assert {name for name in loaded if name not in before} >= {
        "helpers/ftpfw-21.xml",
        "services/ftpfw-21.xml",
        "policies/ftpfw-out.xml",
        "policies/ftpfw-nat.xml",
    }
    assert '<ingress-zone name="internal"/>' in loaded["policies/ftpfw-out.xml"]
    assert '<egress-zone name="public"/>' in loaded["policies/ftpfw-out.xml"]
    assert "-j ftpfw_raw</rule>" in loaded["direct.xml"]
    assert host.run(script()).returncode == 0
    assert host.files() == loaded
    assert host.run(script(), "remove").returncode == 0
    assert host.files() == before
    assert not list((host.directory / "tmp").iterdir())


def test_direct_rules_that_firewalld_has_written_anew(host: Host) -> None:
    """It drops comments, and brings chains to the front."""
    host.run(script())
    head, *body, tail = (
        line
        for line in host.files()["direct.xml"].splitlines(keepends=True)
        if not line.strip().startswith("<!--")
    )
    start, *body = body
    body += DIRECT.splitlines(keepends=True)[2:3]
    body.sort(key=lambda line: "<rule" in line)
    host.stub("etc/direct.xml", "".join([head, start, *body, tail]))
    host.run(script(), "remove")
    assert host.files()["direct.xml"] == DIRECT


def test_a_policy_without_direct_rules_makes_no_direct_xml(host: Host) -> None:
    here = '[gateway]\ninside = []\noutside = "eth0"\n[clients]\nthis_host = true\n'
    assert host.run(script(here, Backend.NONE)).returncode == 0
    assert "direct.xml" not in host.files()


FAILING = [
    # id                 what fails        reloads, the last of them with what was before
    ("it does not run", "--state", 0),
    ("its own check", "--check-config", 0),
    ("the reload", "--reload", 2),
]


@pytest.mark.parametrize(("option", "reloads"), **table(FAILING))
@pytest.mark.parametrize("loaded_before", [False, True], ids=["first", "again"])
def test_a_failure_changes_nothing(
    host: Host, option: str, reloads: int, loaded_before: bool
) -> None:
    if loaded_before:
        host.run(script(MINIMAL, Backend.NONE))
        host.stub("calls", "")
    before = host.files()
    host.stub("failing", f"{option}\n")
    done = host.run(script())
    assert done.returncode == 1
    assert host.files() == before
    assert host.calls().count("--quiet --reload") == reloads
    assert not list((host.directory / "tmp").iterdir())


def test_nothing_to_remove(host: Host) -> None:
    done = host.run(script(), "remove")
    assert (done.returncode, done.stdout) == (0, "ftpfw: nothing of ftpfw's is here\n")
    assert not host.calls()


UNFIT = [
    # id                      what is so on the host                                what it says
    ("no zone", ("zones", "public\n  interfaces: eth0\n"), "eth1 is in no zone"),
    (
        "another interface",
        ("zones", ZONES.replace("eth1", "eth1 eth7")),
        "the zone internal holds more than the policy names there: eth7",
    ),
    (
        "a source",
        ("zones", f"{ZONES}  sources: 198.51.100.0/24\n"),
        "the zone public holds more than the policy names there: 198.51.100.0/24",
    ),
    (
        "one zone for both",
        ("zones", "public\n  interfaces: eth0 eth1\n"),
        "the zone public holds more than the policy names there: eth1",
    ),
    ("no forwarding", ("forwarding", "0\n"), "does not forward IPv4"),
    (
        "runtime only",
        ("runtime--list-all-zones", "public\n  services: https\n"),
        "--list-all-zones shows what is not permanent",
    ),
    (
        "runtime direct rules",
        ("runtime--get-all-rules", "ipv4 filter INPUT 0 -j ACCEPT\n"),
        "--direct --get-all-rules shows what is not permanent",
    ),
    (
        "firewalld's iptables backend",
        ("etc/firewalld.conf", "FirewallBackend=iptables\n"),
        "attaches no helper between zones",
    ),
    ("direct.xml in one line", ("etc/direct.xml", "<direct></direct>\n"), "has no line </direct>"),
]


@pytest.mark.parametrize(("so", "why"), **table(UNFIT))
def test_an_unfit_host_is_refused(host: Host, so: tuple[str, str], why: str) -> None:
    host.stub(*so)
    before = host.files()
    done = host.run(script())
    assert done.returncode == 1
    assert why in done.stderr
    assert "\n  mend: " in done.stderr
    assert host.files() == before
    assert "--quiet --reload" not in host.calls()


def test_a_zone_that_masquerades_is_not_for_a_policy_that_does_not(host: Host) -> None:
    routed = script(MINIMAL.replace("masquerade = true", ""))
    done = host.run(routed)  # the query succeeds
    assert done.returncode == 1
    assert "the zone public masquerades" in done.stderr
    host.stub("failing", "--query-masquerade\n")
    assert host.run(routed).returncode == 0


def test_interfaces_that_are_bound_at_runtime_are_no_loss(host: Host) -> None:
    host.stub("runtime--list-all-zones", "public (active)\n  interfaces: eth0\n  services: ssh\n")
    host.stub("permanent--list-all-zones", "public\n  interfaces: \n  services: ssh\n")
    assert host.run(script()).returncode == 0


def test_usage(host: Host) -> None:
    done = host.run(script(), "status")
    assert (done.returncode, done.stdout) == (2, "")
