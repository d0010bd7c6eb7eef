#!/usr/bin/env bash
# Checks whether machines can boot here, and if not, prints why. Leaves nothing behind. probe.sh [<lane> <free memory in MB>]
# Status 77: not on this computer, or not by this user. 1: a tool must be installed.
set -euo pipefail
lane=${1:-test:boot} memory=${2:-4000}

refuse() { # <status> <why>
  printf '%s cannot run here: %s\n' "$lane" "$2" >&2
  exit "$1"
}
[ "$(uname -s)" = Linux ] || refuse 77 "it needs Linux, and this is $(uname -s)"
[ "$(id -u)" = 0 ] || refuse 77 'mounts and namespaces need root; try it with sudo'
for tool in unshare nsenter setpriv chroot pivot_root mount tar zstd sha256sum vitest; do
  command -v "$tool" >/dev/null || refuse 1 "$tool is not on the PATH"
done
available=$(awk '$1 == "MemAvailable:" {print int($2 / 1024)}' /proc/meminfo)
[ "$available" -ge "$memory" ] || refuse 77 "it needs $memory MB of free memory, and there are $available MB"

# Tries every part of a machine once, in its own namespaces.
try() { # <what it is> <command>
  local output
  output=$(unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child --propagation private -- \
    bash -euc "mount -t tmpfs tmpfs /mnt; cd /mnt; $2" 2>&1) || refuse 77 "$1: $output"
}
try 'namespaces' true
try 'overlay file systems' '
  mkdir lower upper work merged
  mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged'
try 'control groups, version 2' 'mkdir groups; mount -t cgroup2 cgroup2 groups'
try 'device nodes' 'mknod null c 1 3; : >null'
