#!/usr/bin/env bash
# npm run test:boot [arguments of vitest]: user data boots in machines made of namespaces, and agents join a master.
# Nothing on this computer changes: every mount, interface and process is in namespaces that end with this script.
# BOOT_CACHE keeps root file systems between runs, BOOT_MIRROR is the Debian mirror for them, and
# BOOT_AGENT_IMAGE is an archive of `docker save` whose agent replaces the built-in one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
cache=${BOOT_CACHE:-$repository/.cache/boot}
mirror=${BOOT_MIRROR:-http://deb.debian.org/debian}
suite=bookworm
# A machine image like those of the clouds, without a kernel and systemd, and with a clock that can be set; and the contents of Debian's slim image.
machine=bash,ca-certificates,cloud-init,curl,dnsmasq-base,docker.io,google-guest-agent,iproute2,iptables,libfaketime,netbase,openssl
container=bash,ca-certificates
PATH=$repository/node_modules/.bin:$PATH:/usr/sbin:/sbin

"$here/machine/probe.sh"

archive_of() { # <name> <package,...>
  local recipe
  recipe=$({ echo "$suite $2" && cat "$here/machine/debian-root.sh"; } | sha256sum)
  echo "$cache/$1-${recipe:0:12}.tar.zst"
}
make() { # <archive> <package,...>
  [ ! -s "$1" ] || return 0
  rm -f "${1%-*}"-*.tar.zst # by an older recipe
  "$here/machine/debian-root.sh" "$1" "$suite" "$mirror" "$2" &
}
machine_archive=$(archive_of machine "$machine")
container_archive=$(archive_of container "$container")
mkdir -p "$cache"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM HUP
make "$machine_archive" "$machine"
make "$container_archive" "$container"
for builder in $(jobs -p); do wait "$builder"; done

# An empty folder to mount on; its contents are in memory, and visible only inside.
work=$(mktemp -d "${TMPDIR:-/tmp}/boot-XXXXXX")
cd "$repository"
exec unshare --mount --propagation private -- \
  "$here/machine/lane.sh" "$work" "$machine_archive" "$container_archive" 10.0.0.1 master.test \
  vitest run --project boot --no-file-parallelism "$@"
