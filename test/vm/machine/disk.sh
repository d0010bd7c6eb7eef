#!/usr/bin/env bash
# Creates the disk with which all VMs start, and extracts its kernel: disk.sh <host> <guest root> <docker's folder>
# Writes /vm/{disk.img,vmlinuz,initrd.img} in the host.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
host=$1 root=$2 docker=$3
changes=$host/changes new=$host/guest

mkdir -p "$changes"/{upper,work} "$new" "$host/vm"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$changes/upper,workdir=$changes/work" "$new"
cp -r --no-preserve=ownership "$here/../guest/." "$new"
rm -f "$new/etc/resolv.conf" # of the computer it was made on
# Not its first boot, in which systemd would enable every unit.
tr -d - </proc/sys/kernel/random/uuid >"$new/etc/machine-id"
for unit in image network hand; do
  ln -s "/etc/systemd/system/lane-$unit.service" "$new/etc/systemd/system/multi-user.target.wants/"
done
mkdir -p "$new/var/lib/docker"
mount --bind "$docker" "$new/var/lib/docker"
cp "$new"/boot/vmlinuz-* "$host/vm/vmlinuz"
cp "$new"/boot/initrd.img-* "$host/vm/initrd.img"
truncate -s 4G "$host/vm/disk.img"
chroot "$host" mke2fs -F -q -t ext4 -m 0 -d /guest /vm/disk.img
umount "$new/var/lib/docker" "$new"
rm -rf "$changes"
