#!/usr/bin/env bash
# Connects a machine to the network, from inside it: cable.sh <root> <cgroup> <number> <folder> <share> <cloud>
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$1 cgroup=$2 number=$3 folder=$4 share=$5 cloud=$6

mkdir -p "$cgroup/init"
echo $$ >"$cgroup/init/cgroup.procs"
# The other end is connected to the bridge, which is in the network of process 1. An earlier boot may have left one.
ip() { chroot "$root" ip "$@"; }
outside() { nsenter --target 1 --net -- chroot "$root" ip "$@"; }
outside link delete "machine$number" 2>/dev/null || true
ip link add eth0 address "$(printf 02:00:00:00:00:%02x "$number")" type veth peer name "machine$number" netns 1
outside link set "machine$number" master bridge up
exec unshare --uts --ipc --pid --fork --kill-child -- "$here/hardware.sh" "$root" "$folder" "$share" "$cloud"
