#!/bin/bash
# The first process of a machine: init.sh <cloud>. Starts docker, then the boot programs of the cloud's image, and waits
# for a poweroff on its fifo. When this process ends, so does everything on the machine.
set -u
cloud=$1
mkdir -p /var/log /run/lock
exec >>/var/log/boot.log 2>&1
ip link set lo up
# The machine's own clock: with `-1d` in this file, programs started here see it a day behind. Nothing else changes.
if [ -f /etc/faketimerc ]; then
  LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketime.so.1)
  export LD_PRELOAD FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1
fi

start_docker() {
  dockerd --host unix:///var/run/docker.sock --pidfile /run/docker.pid >>/var/log/dockerd.log 2>&1 &
  until docker version >/dev/null 2>&1; do
    kill -0 $! || { tail -n 20 /var/log/dockerd.log >>/dev/console && exit 1; }
    sleep 0.1
  done
}
stage() { cloud-init "$@" </dev/null || echo "cloud-init $*: status $?"; }
boot() {
  case $cloud in
    aws)
      # Before the network: the script sets it up.
      stage init --local
      dhclient -1 -q eth0
      start_docker
      stage init
      stage modules --mode=config
      stage modules --mode=final
      ;;
    gcp)
      dhclient -1 -q eth0
      start_docker
      google_metadata_script_runner startup </dev/null || echo "the runner's status is $?"
      ;;
    image)
      # Creates the disk for the other machines, with the agent's image: no registry can be reached from inside the network.
      start_docker
      if [ -f /run/share/image.tar ]; then
        loaded=$(docker load --quiet --input /run/share/image.tar | tail -n 1)
        docker tag "${loaded#*: }" provision-agent:boot
      else
        docker import -c 'ENTRYPOINT ["/opt/provision/entrypoint.sh"]' /run/share/agent.tar provision-agent:boot
      fi
      echo poweroff >&3
      ;;
  esac
}
exec 3<>/run/init
boot &
while read -r order <&3; do
  [ "$order" != poweroff ] || break
done
# Like systemd: an orderly stop of docker and its containers.
docker=$(cat /run/docker.pid) && kill -TERM "$docker"
for _ in {1..100}; do
  kill -0 "$docker" 2>/dev/null || break
  sleep 0.1
done
