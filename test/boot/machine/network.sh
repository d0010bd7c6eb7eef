#!/usr/bin/env bash
# The network of the machines: network.sh <machine root> <gateway> <domain name of the gateway> <command...>
# A bridge on which masters listen, the address of the metadata servers, DHCP and DNS, and nothing outside. Machines
# get the address in their MAC. Runs the command in it.
set -euo pipefail
root=$1 gateway=$2 name=$3
shift 3
ip() { chroot "$root" ip "$@"; }
ip link set lo up
# A fixed MAC: otherwise it takes that of a machine, and changes when machines start and stop.
ip link add bridge address 02:00:00:00:01:00 type bridge
ip addr add "$gateway/16" dev bridge
ip addr add 169.254.169.254/32 dev bridge
ip link set bridge up

network=${gateway%.*.*}
mapfile -t hosts < <(for n in {1..250}; do printf -- '--dhcp-host=02:00:00:00:00:%02x,%s.1.%d\n' "$n" "$network" "$n"; done)
chroot "$root" dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --log-facility=/dev/null \
  --interface=bridge --bind-interfaces --except-interface=lo --no-resolv --no-hosts --address="/$name/$gateway" \
  --dhcp-range="$network.1.1,static,255.255.0.0,1h" --dhcp-authoritative --leasefile-ro --no-ping \
  --dhcp-option="option:router,$gateway" --dhcp-option="option:dns-server,$gateway" "${hosts[@]}" &
"$@"
