#!/usr/bin/env bash
# Inside the lane's namespaces: host.sh <empty folder> <archive with QEMU> <name server> <command...>
# Unpacks the root of the VMs' host, and runs the command, with the folder as VM_HOST.
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
# QEMU forwards the DNS queries of its VMs to this server.
rm -f "$host/etc/resolv.conf"
echo "nameserver $nameserver" >"$host/etc/resolv.conf"
VM_HOST=$host exec "$@"
