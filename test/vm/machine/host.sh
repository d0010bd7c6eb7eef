#!/usr/bin/env bash
# Within the lane's namespaces: host.sh <empty folder> <archive with QEMU> <name server> <command...>
# Unpacks what VMs run on, and runs the command beside it, with the folder as VM_HOST.
set -euo pipefail
host=$1 archive=$2 nameserver=$3
shift 3

mkdir "$host"
tar --zstd -xpf "$archive" -C "$host"
mount -t tmpfs -o mode=755 tmpfs "$host/dev"
for node in null:3 zero:5 random:8 urandom:9; do
  mknod -m 666 "$host/dev/${node%:*}" c 1 "${node#*:}"
done
mount -t proc proc "$host/proc"
# QEMU hands the questions of its VMs on to the server that is named here.
rm -f "$host/etc/resolv.conf"
echo "nameserver $nameserver" >"$host/etc/resolv.conf"
VM_HOST=$host exec "$@"
