#!/usr/bin/env bash
# npm run test:vm [arguments of vitest]: user data boots VMs with a kernel, systemd and reboots, under QEMU without KVM.
# Nothing on this computer changes: everything is in namespaces and memory, like in the boot lane (docs/internals/boot-tests.md).
# VM_CACHE keeps root file systems between runs, VM_MIRROR is the Debian mirror for them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
boot=$repository/test/boot/machine
cache=${VM_CACHE:-$repository/.cache/vm}
mirror=${VM_MIRROR:-http://deb.debian.org/debian}
suite=bookworm
# A machine image like those of the clouds; the contents of Debian's slim container image; and QEMU itself.
declare -A packages=([container]='bash,ca-certificates' [host]='e2fsprogs,qemu-system-x86,qemu-utils')
packages[guest]=bash,ca-certificates,cloud-init,curl,dbus,dnsmasq-base,docker.io,google-guest-agent,ifupdown,initramfs-tools
packages[guest]+=,iproute2,iptables,isc-dhcp-client,kmod,linux-image-cloud-amd64,netbase,openssl,systemd,systemd-sysv,udev
PATH=$repository/node_modules/.bin:$PATH:/usr/sbin:/sbin

[ "$(uname -m)" = x86_64 ] || { echo "test:vm cannot run here: its VMs are x86_64, and this is $(uname -m)" >&2 && exit 77; }
"$boot/probe.sh" test:vm 9000

mkdir -p "$cache"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM HUP
archives=()
for name in guest container host; do
  recipe=$({ echo "$suite ${packages[$name]}" && cat "$boot/debian-root.sh"; } | sha256sum)
  archive=$cache/$name-${recipe:0:12}.tar.zst
  archives+=("$archive")
  if [ ! -s "$archive" ]; then
    rm -f "$cache/$name"-*.tar.zst # by an older recipe
    "$boot/debian-root.sh" "$archive" "$suite" "$mirror" "${packages[$name]}" &
  fi
done
for builder in $(jobs -p); do wait "$builder"; done

work=$(mktemp -d "${TMPDIR:-/tmp}/vm-XXXXXX")
cd "$repository"
exec unshare --mount --propagation private -- \
  "$boot/lane.sh" "$work" "${archives[0]}" "${archives[1]}" 10.0.0.1 master.test \
  "$here/machine/host.sh" "$work/host" "${archives[2]}" 10.0.0.1 \
  vitest run --project vm --no-file-parallelism "$@"
