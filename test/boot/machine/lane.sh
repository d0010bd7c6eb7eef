#!/usr/bin/env bash
# Runs in its own mounts: lane.sh <empty folder> <machine archive> <container archive> <gateway> <its name> <command...>
# Unpacks the archives into memory, and runs the command in its own network and process tree. Removes the folder.
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
  # The kernel releases a group a moment after its last process.
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

# Docker creates control groups: below our own, so that none is left on this computer.
mount -t cgroup2 cgroup2 "$work/cgroup"
mkdir "$group"
# If version 1 controls a controller, there is none to delegate, and machines run without.
read -ra controllers <"$group/cgroup.controllers" || true
for controller in "${controllers[@]}"; do
  echo "+$controller" >"$group/cgroup.subtree_control" || true
done
# The end of this script ends the command, and with it every process of every machine.
setpriv --pdeathsig KILL -- \
  unshare --net --pid --mount --mount-proc --fork --kill-child --propagation private -- \
  "$here/network.sh" "$work/machine" "$gateway" "$name" \
  env BOOT_WORK="$work" BOOT_CGROUP="$group" "$@" &
wait $!
