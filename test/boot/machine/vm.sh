#!/usr/bin/env bash
# Starts one machine, and ends when it ends: vm.sh <root> <folder> <share> <cgroup> <number> <cloud>
# The root is only read. The folder keeps what the machine writes on its disk, over reboots, and what its serial console
# has shown (console), and takes orders (init, a fifo). The share is a folder it can read.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$1 folder=$2 share=$3 cgroup=$4 number=$5 cloud=$6

mkdir -p "$folder"/disk/{upper,work,docker,merged} "$cgroup"
for fifo in init line; do [ -p "$folder/$fifo" ] || mkfifo "$folder/$fifo"; done
# Control groups are seen from this one down, and processes may only be in its leaves.
echo $$ >"$cgroup/cgroup.procs"
exec unshare --cgroup --net --mount --propagation private -- \
  "$here/cable.sh" "$root" "$cgroup" "$number" "$folder" "$share" "$cloud"
