#!/usr/bin/env bash
# Runs one VM until it is powered off: qemu.sh <host> <name> <cloud> <clock> <kernel arguments>
# /vm/<name> in the host keeps its disk over power-offs, and the output of its serial console; `hand` in it is a socket to
# its second serial line. The clock is that of the VM's hardware when it starts: `utc`, or YYYY-MM-DDTHH:MM:SS.
set -euo pipefail
host=$1 name=$2 cloud=$3 clock=$4 arguments=$5
folder=/vm/$name

[ -e "$host$folder/disk" ] ||
  chroot "$host" qemu-img create -q -f qcow2 -b /vm/disk.img -F raw "$folder/disk"
uuid=9099e191-9099-7caf-fd21-012345abcdef
case $cloud in
  aws)
    uuid=ec2e1916-9099-7caf-fd21-012345abcdef vendor='Amazon EC2' product=m5.large
    arguments+=' systemd.mask=google-guest-agent.service systemd.mask=google-startup-scripts.service'
    arguments+=' systemd.mask=google-shutdown-scripts.service'
    ;;
  gcp)
    vendor=Google product='Google Compute Engine'
    arguments+=' cloud-init=disabled'
    ;;
esac
# Never KVM: a kernel for another host may hang in it.
exec nice -n 15 chroot "$host" qemu-system-x86_64 -accel tcg,thread=multi,tb-size=512 -cpu Nehalem -smp 2 -m 2048 \
  -nodefaults -display none -monitor none \
  -chardev "file,id=console,path=$folder/console,append=on" -serial chardev:console \
  -chardev "socket,id=hand,path=$folder/hand,server=on,wait=off" -serial chardev:hand \
  -kernel /vm/vmlinuz -initrd /vm/initrd.img \
  -append "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 mitigations=off apparmor=0 net.ifnames=0 lane.cloud=$cloud $arguments" \
  -drive "file=$folder/disk,if=virtio,format=qcow2,cache=unsafe" \
  -netdev user,id=net -device virtio-net-pci,netdev=net,mac=02:00:00:00:00:01 -device virtio-rng-pci \
  -smbios "type=0,vendor=$vendor" \
  -smbios "type=1,manufacturer=$vendor,product=$product,serial=$uuid,uuid=$uuid" \
  -rtc "base=$clock"
