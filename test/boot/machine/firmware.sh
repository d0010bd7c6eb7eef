#!/usr/bin/env bash
# Creates what identifies the cloud for software, and the settings of a machine image: firmware.sh <root of the machine> <cloud>
set -euo pipefail
new=$1 cloud=$2

# Only new files: a link in the root could lead to files of other machines.
create() { # <path> <mode> < <content>
  rm -f "$new$1"
  (set -o noclobber && cat >"$new$1")
  chmod "$2" "$new$1"
}
vendor=nobody uuid=9099e191-9099-7caf-fd21-012345abcdef
case $cloud in
  aws) vendor='Amazon EC2' uuid=ec2e1916-9099-7caf-fd21-012345abcdef ;;
  gcp) vendor=Google ;;
esac
create /usr/sbin/dmidecode 755 <<E
#!/bin/sh
case "\$*" in
  *--version*) echo 3.4 ;;
  *system-uuid* | *system-serial-number*) echo $uuid ;;
  *manufacturer*) echo '$vendor' ;;
  *) echo ;;
esac
E
# Hides this computer's firmware where the kernel shows it.
if [ -d "$new/sys/class/dmi/id" ]; then
  mount -t tmpfs tmpfs "$new/sys/class/dmi/id"
  echo "$vendor" >"$new/sys/class/dmi/id/sys_vendor"
  for file in product_uuid product_serial; do echo "$uuid" >"$new/sys/class/dmi/id/$file"; done
fi
create /etc/cloud/cloud.cfg.d/99_boot.cfg 644 <<'E'
datasource_list: [ Ec2, None ]
network: {config: disabled}
growpart: {mode: 'off'}
resize_rootfs: false
locale: false
E
create /etc/hosts 644 <<'E'
127.0.0.1 localhost
169.254.169.254 metadata.google.internal metadata
E
rm -f "$new/etc/resolv.conf" # of the computer it was made on
# Without systemd there is no systemd `shutdown`. This one also asks the first process.
create /usr/sbin/shutdown 755 <<'E'
#!/bin/sh
echo "shutdown $*" >>/dev/console
echo poweroff >/run/init
E
# If this computer does not have CAP_SYS_RESOURCE (bit 24), as in some containers, `docker run --privileged`
# fails; only then does it run without that capability.
if ((!(0x$(sed -n 's/^CapBnd:\t//p' /proc/self/status) >> 24 & 1))); then
  create /usr/local/sbin/runc 755 <<'E'
#!/bin/sh
# runc is started in the bundle's folder, or gets it as an argument.
for argument; do
  [ "$last" != --bundle ] || bundle=$argument
  last=$argument
done
[ -z "$bundle" ] || sed -i 's/"CAP_SYS_RESOURCE",//g; s/,"CAP_SYS_RESOURCE"//g' "$bundle/config.json"
exec /usr/sbin/runc "$@"
E
fi
