#!/usr/bin/env bash
# In mounts of its own: lane.sh <empty folder> <machine archive> <container archive> <gateway> <its name> <command...>
# Unpacks the archives into memory, and runs the command in a network and a process tree of its own. Removes the folder.
set -euo pipefail
work=$1 machine=$2 container=$3 gateway=$4 name=$5
shift 5
here=$(cd "$(dirname "$0")" && pwd)
group=$work/cgroup/boot-$$

finish() {
  trap '' INT TERM HUP
  mapfile -t running < <(jobs -p)
  kill -KILL "${running[@]}" 2>/dev/null || true
  wait || true
  # The kernel lets go of a group a moment after the last process in it.
  for _ in {1..50}; do
    [ -d "$group" ] || break
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
  done
  cd / && umount --recursive --lazy "$work" && rmdir "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir -p "$work"/{machine,machines,share/agent,cgroup}
tar --zstd -xpf "$machine" -C "$work/machine" &
unpacking=$!
tar --zstd -xpf "$container" -C "$work/share/agent"
wait "$unpacking"

# Docker makes control groups: below one of ours, so that none is left on this computer.
mount -t cgroup2 cgroup2 "$work/cgroup"
mkdir "$group"
# Where version 1 holds a controller there is none to hand on, and machines do without.
read -ra controllers <"$group/cgroup.controllers" || true
for controller in "${controllers[@]}"; do
  echo "+$controller" >"$group/cgroup.subtree_control" || true
done
# Whatever ends this script ends the command, and with it every process of every machine.
setpriv --pdeathsig KILL -- \
  unshare --net --pid --mount --mount-proc --fork --kill-child --propagation private -- \
  "$here/network.sh" "$work/machine" "$gateway" "$name" \
  env BOOT_WORK="$work" BOOT_CGROUP="$group" "$@" &
wait $!
