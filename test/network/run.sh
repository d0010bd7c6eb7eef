#!/usr/bin/env bash
# npm run test:network [-- arguments of vitest]: provisioners whose network is cut, and provisioners whose clocks are wrong.
# Runs in a network, a process tree and mounts of its own, which end with it: nothing on this computer changes.
# Where that is impossible it prints why, and ends with the status SKIP_STATUS, 0 by default.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin

skip() { # <why>
  printf 'test:network is skipped: %s\n' "$1"
  exit "${SKIP_STATUS:-0}"
}
[ "$(uname -s)" = Linux ] || skip "it needs Linux, and this is $(uname -s)"
[ "$(id -u)" = 0 ] || skip 'network namespaces need root; try it with sudo'
for tool in unshare mount ip; do
  command -v "$tool" >/dev/null || skip "$tool is not on the PATH; install the packages iproute2 and util-linux"
done
faketime=$(compgen -G '/usr/lib*/*/faketime/libfaketimeMT.so.1' | head -n 1) ||
  skip 'libfaketime was not found in /usr/lib; install the package libfaketime'
command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
  skip 'initdb was not found; install the package postgresql'

apart() { # <command…>
  unshare --net --pid --mount --mount-proc --fork --kill-child --propagation private -- bash -euc '
    ip link set lo up
    mkdir -p /run/netns
    mount -t tmpfs tmpfs /run/netns
    "$@"' bash "$@"
}
# shellcheck disable=SC2016
output=$(apart bash -euc '
  ip netns add probe
  ip link add probe type veth peer name eth0 netns probe
  ip netns exec probe ip link set eth0 up' 2>&1) || skip "no network namespaces here: $output"

NETWORK_FAKETIME=$faketime apart vitest run --project network "$@"
