#!/bin/sh
# Installs the real programs that some tests run (Prometheus with promtool, systemd-analyze) where that is
# possible: as root, with apt-get. Starts nothing, enables nothing, is done at once when all are there, and says
# plainly what it could not install; the tests that need it then skip, or fail where CI is true.
set -u

missing=""
command -v prometheus >/dev/null && command -v promtool >/dev/null || missing="$missing prometheus"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
[ -n "$missing" ] || exit 0

give_up() {
    for package in $missing; do
        echo "NOT INSTALLED: Debian package $package ($1). Tests that need it are skipped, and fail in CI." >&2
    done
    exit 0
}

command -v apt-get >/dev/null || give_up "there is no apt-get here"
[ "$(id -u)" -eq 0 ] || give_up "that needs root: sudo apt-get install$missing"

# Debian starts a service as soon as it is installed unless this file says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
echo "Installing for the tests:$missing"
for package in $missing; do
    apt-get install -y -q --no-install-recommends "$package" >>"$log" 2>&1 ||
        { apt-get update -q >>"$log" 2>&1 && apt-get install -y -q --no-install-recommends "$package" >>"$log" 2>&1; } ||
        failed="${failed:-} $package"
done
# Not at the next boot either: the tests start their own.
case "$missing" in *prometheus*) systemctl disable prometheus.service >>"$log" 2>&1 ;; esac

missing=${failed:-}
if [ -n "$missing" ]; then
    tail -n 5 "$log" >&2
    give_up "apt-get failed, its full output is in $log"
fi
rm -f "$log"
