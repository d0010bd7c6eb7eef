#!/usr/bin/env bash
# Runs one machine until it ends: vm.sh <root> <folder> <share> <cgroup> <number> <cloud>
# The root is read-only. The folder keeps the machine's disk over reboots and the output of its serial console
# (console), and takes orders (init, a fifo). The share is a folder it can read.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$1 folder=$2 share=$3 cgroup=$4 number=$5 cloud=$6

mkdir -p "$folder"/disk/{upper,work,docker,merged} "$cgroup"
for fifo in init line; do [ -p "$folder/$fifo" ] || mkfifo "$folder/$fifo"; done
# Control groups are visible from this one down, and processes may be only in its leaves.
echo $$ >"$cgroup/cgroup.procs"
exec unshare --cgroup --net --mount --propagation private -- \
  "$here/cable.sh" "$root" "$cgroup" "$number" "$folder" "$share" "$cloud"
