"""The script that an administrator reads, runs, and runs again to undo.

Spec: POSIX sh; firewall-cmd(1). It changes firewalld's permanent configuration by files
of its own and by lines of direct.xml, all at once, and has firewalld read them. If any of
it fails, the configuration is put back as it was and firewalld reads that.

A reload forgets what stands in firewalld's runtime configuration alone, so the script
refuses while there is any. It refuses, too, what would make its rules mean something else:
zones that hold other interfaces, a zone that masquerades where nothing is to be translated, a
host that does not forward, and the backend of firewalld's that attaches no helper between
zones (it asks for the outgoing interface in table raw's PREROUTING, where there is none).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ftpfw.ruleset.firewalld.objects import XmlFile
from ftpfw.ruleset.firewalld.zones import between_zones
from ftpfw.ruleset.model import Family
from ftpfw.ruleset.policy import Backend
from ftpfw.ruleset.ways import Plan

_HEAD = """\
#!/bin/sh
# ftpfw for firewalld, with the helper backend {backend}.
{notes}#
#     sh THIS-FILE            makes it part of firewalld's permanent configuration, and live;
#                             once more, it changes nothing
#     sh THIS-FILE remove     takes all of it away again
#
# Good to know, since firewalld has no words for it:
#
{facts}set -eu

# Another place only where firewalld runs with --system-config.
config=${{FIREWALLD_CONFIG:-/etc/firewalld}}
"""

_HELPER_FACTS = """\
# - firewalld accepts RELATED ahead of every policy, whichever helper is behind it. So what
#   ftpfw's own rule sets say, that RELATED opens with ftpfw's helper only, does not hold here:
#   any other helper that this firewalld attaches opens its connections as before.
# - A service attaches its helper to connections between its zones, whatever their source.
#   Those of other networks still pass only if another of your policies accepts them.
"""

_FACTS = """\
# - What no policy accepts meets the target of its zone. Leave that at "default", "DROP" or
#   "%%REJECT%%": with "ACCEPT" everything passes, FTP or not.
"""

_DIRECT_FACTS = """\
# - The rules in direct.xml are firewalld's direct interface, which it calls deprecated. A
#   reload takes them away for a moment.
"""

_TOOLS = """
say() { printf 'ftpfw: %s\\n' "$*"; }

# fail WHAT MEND
fail() {
    printf 'ftpfw: %s\\n  mend: %s\\n' "$1" "$2" >&2
    exit 1
}

# zone_of INTERFACE: what is said of an interface is said of its whole zone.
zone_of() {
    zone=$(printf '%s\\n' "$active" | awk -v wanted="$1" '
        /^[^ ]/ { zone = $1 }
        $1 == "interfaces:" { for (i = 2; i <= NF; i++) if ($i == wanted) print zone }')
    [ -n "$zone" ] || fail "$1 is in no zone" \\
        "firewall-cmd --permanent --zone=ZONE --add-interface=$1, and firewall-cmd --reload"
    echo "$zone"
}

# alone ZONE INTERFACES: nothing else may be in the zone.
alone() {
    others=$(printf '%s\\n' "$active" | awk -v zone="$1" -v named=" $2 " '
        /^[^ ]/ { here = $1 == zone }
        here && /^ / { for (i = 2; i <= NF; i++) if (!index(named, " " $i " ")) print $i }')
    others=$(echo $others)
    [ -z "$others" ] || fail "the zone $1 holds more than the policy names there: $others" \\
        "another zone for that, or for $2"
}

# zones ingress|egress ZONES: the lines of a policy that name them.
zones() {
    side=$1
    shift
    for zone in "$@"; do printf '  <%s-zone name="%s"/>\\n' "$side" "$zone"; done
}

# What stands in the runtime configuration alone, a reload would forget.
require_nothing_to_forget() {
    for list in $LISTS; do
        # shellcheck disable=SC2086
        for from in "" --permanent; do
            firewall-cmd $from $(words "$list") | plain >"$kept/$list$from" &
        done
    done
    wait
    for list in $LISTS; do
        cmp -s "$kept/$list" "$kept/$list--permanent" ||
            fail "firewall-cmd $(words "$list") shows what is not permanent: a reload forgets it" \\
                "firewall-cmd --runtime-to-permanent keeps it, firewall-cmd --reload drops it"
    done
}

LISTS="--list-all-zones --list-all-policies --direct_--get-all-rules"

words() { echo "$1" | tr _ ' '; }

# Interfaces, and what follows from them, firewalld keeps through a reload.
plain() { sed 's/ (.*)$//; /^ *interfaces:/d'; }

# Our lines of direct.xml are known by the names of our chains.
without_ours() { sed '/<!-- ftpfw: /d; /chain="ftpfw_/d; />-j ftpfw_/d' "$config/direct.xml"; }

ours_are_here() {
    ls "$config"/*/ftpfw-* >/dev/null 2>&1 || grep -qs 'chain="ftpfw_' "$config/direct.xml"
}

# Take our part out of the files. A direct.xml that was made here goes when it is empty.
take_out() {
    rm -f "$config"/helpers/ftpfw-* "$config"/services/ftpfw-* "$config"/policies/ftpfw-*
    [ -e "$config/direct.xml" ] || return 0
    without_ours >"$kept/direct.new"
    if grep -q '<!-- made by ftpfw -->' "$kept/direct.new" &&
        ! grep -q '<chain\\|<rule\\|<passthrough' "$kept/direct.new"; then
        rm "$config/direct.xml"
    else
        cmp -s "$kept/direct.new" "$config/direct.xml" ||
            cat "$kept/direct.new" >"$config/direct.xml"
    fi
}

put_direct() {
    [ -n "$(direct_lines)" ] || return 0
    [ -e "$config/direct.xml" ] || cat >"$config/direct.xml" <<'EOF'
<?xml version="1.0" encoding="utf-8"?>
<!-- made by ftpfw -->
<direct>
</direct>
EOF
    grep -qx '</direct>' "$config/direct.xml" || fail "$config/direct.xml has no line </direct>" \\
        "put </direct> on a line of its own, at the end"
    sed '/^<\\/direct>$/,$d' "$config/direct.xml" >"$kept/direct.new"
    direct_lines >>"$kept/direct.new"
    sed -n '/^<\\/direct>$/,$p' "$config/direct.xml" >>"$kept/direct.new"
    cat "$kept/direct.new" >"$config/direct.xml"
}

# Until the end, whatever stops the script has the configuration put back.
keep() {
    for part in helpers services policies; do
        mkdir "$kept/$part"
        cp -p "$config/$part"/ftpfw-* "$kept/$part" 2>/dev/null || :
    done
    [ ! -e "$config/direct.xml" ] || cp -p "$config/direct.xml" "$kept"
    changed=yes
}

put_back() {
    set +e
    if [ -n "$changed" ]; then
        rm -f "$config"/helpers/ftpfw-* "$config"/services/ftpfw-* "$config"/policies/ftpfw-*
        for part in helpers services policies; do
            cp -p "$kept/$part"/* "$config/$part" 2>/dev/null
        done
        if [ -e "$kept/direct.xml" ]; then
            cat "$kept/direct.xml" >"$config/direct.xml"
        else
            rm -f "$config/direct.xml"
        fi
        if [ -n "$told" ] && ! make_live; then
            rm -rf "$kept"
            fail "the files are as they were, and firewalld fails with them, too" \\
                "its log has the reason; then firewall-cmd --reload"
        fi
    fi
    rm -rf "$kept"
    say "nothing has been changed" >&2
}

done_with() {
    trap - EXIT HUP INT TERM
    rm -rf "$kept"
    say "$1"
}

# firewalld's exit code says too little: after a reload that failed it may run on nothing.
make_live() {
    firewall-cmd --quiet --reload && firewall-cmd --quiet --state && sweep
}

# Tables of direct rules stay when their rules have gone. Empty, they mean nothing.
sweep() {
    command -v nft >/dev/null || return 0
    for family in ip ip6; do
        for table in raw mangle nat; do
            if [ "$(nft list table $family $table 2>/dev/null)" = "table $family $table {
}" ]; then
                nft delete table $family $table
            fi
        done
    done
}

ready() {
    [ "$(id -u)" = 0 ] || fail "only root may change firewalld's configuration" "sudo sh $0"
    firewall-cmd --quiet --state || fail "firewalld does not run here" \\
        "systemctl start firewalld; its log has the reason where it failed"
    [ -d "$config/policies" ] || fail "$config has no policies: firewalld 0.9 or later is wanted" \\
        "FIREWALLD_CONFIG names another directory"
    changed= told= kept=$(mktemp -d)
    trap put_back EXIT
    trap 'exit 1' HUP INT TERM
    require_nothing_to_forget
}

load() {
    ready
    require_host
    keep
    take_out
    write_files
    put_direct
    firewall-cmd --quiet --check-config || fail "firewalld finds fault with it, as above" \\
        "ftpfw rules generate writes it anew"
    told=yes
    make_live || fail "firewalld could not make it live, as above" "its log says more"
    done_with "loaded into firewalld"
}

remove() {
    if ! ours_are_here; then say "nothing of ftpfw's is here"; return 0; fi
    ready
    keep
    take_out
    told=yes
    make_live || fail "firewalld could not do without it, as above" "its log says more"
    done_with "removed from firewalld"
}

case ${1-load} in
    load) load ;;
    remove) remove ;;
    *) printf 'usage: sh %s [remove]\\n' "$0" >&2; exit 2 ;;
esac
"""


def render(
    plans: Sequence[Plan],
    backend: Backend,
    files: Sequence[XmlFile],
    direct: Sequence[str],
    notes: Iterable[str],
) -> str:
    """The whole script; ``files`` and ``direct`` are what it puts in place of ``plans``."""
    facts = (_HELPER_FACTS if backend is not Backend.NONE else "") + _FACTS
    facts += _DIRECT_FACTS if direct else ""
    said = "".join(f"# {note}\n" for note in notes)
    head = _HEAD.format(backend=backend, notes=said, facts=facts)
    parts = (
        head.splitlines(),
        _require_host(plans),
        _write_files(files),
        _direct_lines(direct),
        _TOOLS.splitlines(),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _require_host(plans: Sequence[Plan]) -> Iterator[str]:
    gateway = plans[0].policy.gateway
    yield ""
    yield "# The zones of the interfaces, and what this host must be like."
    yield "require_host() {"
    yield "    active=$(firewall-cmd --get-active-zones)"
    yield f"    outside=$(zone_of {gateway.outside})"
    yield f'    alone "$outside" "{gateway.outside}"'
    if gateway.inside:
        yield "    inside="
        yield f"    for name in {' '.join(gateway.inside)}; do"
        yield "        zone=$(zone_of $name)"
        yield f'        alone "$zone" "{" ".join(gateway.inside)}"'
        yield '        case " $inside " in *" $zone "*) ;; *) inside="$inside $zone" ;; esac'
        yield "    done"
        yield from _require_forwarding(plans)
    if any(plan.helper and between_zones(way) for plan in plans for way in plan.ways):
        yield "    # firewalld's iptables backend attaches no helper between zones."
        yield "    ! grep -q '^FirewallBackend *= *iptables' \"$config/firewalld.conf\" ||"
        yield '        fail "FirewallBackend=iptables attaches no helper between zones" \\'
        yield '            "FirewallBackend=nftables, in $config/firewalld.conf"'
    if gateway.inside and not (gateway.masquerade or gateway.snat_to):
        yield "    # The policy translates no client's address, and neither may the zone."
        yield '    ! firewall-cmd --quiet --zone="$outside" --query-masquerade ||'
        yield '        fail "the zone $outside masquerades" \\'
        yield '            "firewall-cmd --permanent --zone=$outside --remove-masquerade, and'
        yield '        firewall-cmd --reload; or masquerade = true in the policy"'
    yield "}"


def _require_forwarding(plans: Sequence[Plan]) -> Iterator[str]:
    keys = {Family.IPV4: "net.ipv4.ip_forward", Family.IPV6: "net.ipv6.conf.all.forwarding"}
    for plan in plans:
        key = keys[plan.family]
        yield f'    [ "$(sysctl -n {key})" = 1 ] ||'
        yield f'        fail "this host does not forward {plan.family}" "sysctl -w {key}=1"'


def _write_files(files: Sequence[XmlFile]) -> Iterator[str]:
    yield ""
    yield "# firewalld's own objects."
    yield "write_files() {"
    for file in files:
        yield f"    # {file.why}"
        yield f'    cat >"$config/{file.path}" <<EOF'
        yield '<?xml version="1.0" encoding="utf-8"?>'
        yield from file.lines
        yield "EOF"
    yield "}"


def _direct_lines(lines: Sequence[str]) -> Iterator[str]:
    yield ""
    yield "# What firewalld has no words for, each rule under its sentence: lines of direct.xml."
    yield "direct_lines() {"
    if not lines:
        yield "    :"
        yield "}"
        return
    yield "    cat <<'EOF'"
    yield from lines
    yield "EOF"
    yield "}"
