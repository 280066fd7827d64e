# For the set-ups to source: packages that are missing are installed, and none of their daemons started.

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

# FTP servers that cannot be installed beside vsftpd, and an inetd that nobody wants to have
# running: they run from where they are unpacked.
daemons="pure-ftpd pure-ftpd-common proftpd-core proftpd-mod-crypto openbsd-inetd"

# daemon_libraries: the packages that they need
daemon_libraries() {
    # shellcheck disable=SC2086
    apt-cache show $daemons >/dev/null 2>&1 || as_root apt-get update -qq ||
        fail "apt-get update failed, for the reason above; then run make again"
    # shellcheck disable=SC2086
    apt-cache depends --no-recommends --no-suggests $daemons 2>/dev/null |
        sed -n 's/^ *|*Depends: \(lib[a-z0-9.+-]*\)$/\1/p' | grep -v -e -runtime | sort -u
}

# unpack_daemons DIRECTORY: what the daemons need is installed, they themselves are not.
unpack_daemons() {
    libraries=$(daemon_libraries)
    # shellcheck disable=SC2086
    install_missing $libraries
    [ "$(cat "$1/packages" 2>/dev/null)" != "$daemons" ] || return 0
    say "unpacking $daemons"
    rm -rf "$1.new"
    mkdir -p "$1.new/deb"
    # shellcheck disable=SC2086
    (cd "$1.new/deb" && apt-get download -qq $daemons 2>/dev/null) ||
        fail "apt-get download failed; it was to get $daemons"
    for package in "$1.new"/deb/*.deb; do dpkg-deb -x "$package" "$1.new"; done
    rm -r "$1.new/deb"
    echo "$daemons" > "$1.new/packages"
    rm -rf "$1"
    mv "$1.new" "$1"
}
