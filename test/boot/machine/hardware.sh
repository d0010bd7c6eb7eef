#!/usr/bin/env bash
# Provides what firmware and kernel give a machine, then starts its first process: hardware.sh <root> <folder> <share> <cloud>
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$1 folder=$2 share=$3 cloud=$4
disk=$folder/disk new=$folder/disk/merged

mount -t overlay overlay -o "lowerdir=$root,upperdir=$disk/upper,workdir=$disk/work" "$new"
mount -t proc proc "$new/proc"
mount -t sysfs -o ro sysfs "$new/sys"
mount -t cgroup2 cgroup2 "$new/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$new/run"
mount -t tmpfs -o mode=1777 tmpfs "$new/tmp"
mount -t tmpfs -o mode=755 tmpfs "$new/dev"
mkdir "$new/dev/shm" "$new/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$new/dev/pts"
ln -s pts/ptmx "$new/dev/ptmx"
ln -s /proc/self/fd "$new/dev/fd"
ln -s fd/0 "$new/dev/stdin"
for node in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "$new/dev/${node%:*}" c 1 "${node#*:}"
done
# The serial console: unlike a file, it cannot be truncated by a program that opens it.
touch "$new/dev/console"
mount --bind "$folder/line" "$new/dev/console"
cat <>"$folder/line" >>"$folder/console" &
mkdir "$new/run/share"
mount --bind "$share" "$new/run/share"
mount -o remount,bind,ro "$new/run/share"
touch "$new/run/init"
mount --bind "$folder/init" "$new/run/init"
# Docker's layers are overlays, which cannot be stored on an overlay.
mkdir -p "$new/var/lib/docker"
mount --bind "$disk/docker" "$new/var/lib/docker"

hostname fresh-machine
install -m 755 "$here/init.sh" "$new/run/init.sh"
"$here/firmware.sh" "$new" "$cloud"

# The machine sees nothing of the computer it runs on.
cd "$new"
pivot_root . .
umount --lazy .
exec chroot . env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /run/init.sh "$cloud" </dev/null
