# For the set-ups to source: install the packages that are missing, and start none of their daemons.

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_missing() {
    missing=
    for package in "$@"; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        fail "no sudo here; as root: apt-get install$missing"
    say "installing$missing"
    # A package that starts a daemon must not: the labs run vsftpd on their own terms.
    policy=/usr/sbin/policy-rc.d
    made=
    if [ ! -e $policy ]; then
        made=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
        trap 'as_root rm -f $policy' EXIT
        trap 'exit 1' HUP INT TERM
    fi
    as_root apt-get update -qq ||
        fail "apt-get update failed, for the reason above; then run make again"
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        fail "apt-get install failed, for the reason above; it was to install$missing"
    if [ -n "$made" ]; then as_root rm -f $policy; trap - EXIT HUP INT TERM; fi
}
