#!/bin/bash
# Makes this machine an agent of a master, or powers it off. Written by `provision`; safe to run again.
# Prints PROVISION_STAGE=<code> on the console; each failure has a code and an exit status of its own.
set -Eeuo pipefail
umask 022

# What the agent reads from its environment.
export DET_MASTER_HOST='10.0.0.5'
export DET_MASTER_PORT='8080'
export DET_RESOURCE_POOL='default'
export DET_SLOT_TYPE='none'
export DET_AGENT_RECONNECT_ATTEMPTS='5'
export DET_AGENT_RECONNECT_BACKOFF='5'
IMAGE='determinedai/determined-agent:0.38.1'
NETWORK='default'
RUNTIME='runc'

# Seconds from here to a connection with the master.
BOOT_TIMEOUT='600'
# Empty on a VM; a local VM has every path below it.
ROOT=${PROVISION_ROOT:-}

# Seconds that setting the clock does not move; bash's own count does, and serves only where /proc is not (macOS).
monotonic() {
  local seconds
  if read -r seconds _ 2>/dev/null </proc/uptime; then echo "${seconds%.*}"; else echo "$SECONDS"; fi
}
BEGAN=$(monotonic)
elapsed() { echo $(($(monotonic) - BEGAN)); }
log() { printf '%s %s\n' "$(date -u +%FT%TZ)" "$*" | tee -a "$ROOT/dev/console" 2>/dev/null || true; }
stage() { log "PROVISION_STAGE=$*"; }
fail() { # '<code> <exit status>' <what happened>
  trap - ERR
  stage "${1% *}" "$2"
  "$ROOT/sbin/shutdown" -h now || true
  exit "${1#* }"
}
# What fails in a subshell fails once more out here.
trap '((BASH_SUBSHELL)) || fail "internal_error 1" "line $LINENO: $BASH_COMMAND"' ERR
again() { # <command>, six times at most
  local n
  for n in 1 2 3 4 5 6; do
    if "$@"; then return; fi
    sleep $((n * 5))
  done
  return 1
}
write_file() { # <path> <mode> < <content>
  mkdir -p "$ROOT${1%/*}"
  (umask 077 && cat >"$ROOT$1")
  chmod "$2" "$ROOT$1"
}

export HOME=${HOME:-/root}
cd "$ROOT/"
stage started

# Meanwhile: within the boot timeout, is a connection to the master's port there (01 in proc(5)) at two looks in a row?
# An agent behind a proxy cannot be judged by that, and is left alone.
RUN=$ROOT/run/determined/$$
rm -rf "${RUN%/*}"
mkdir -p "$RUN"
watch_join() {
  local pid now before=
  trap - ERR
  set +e
  while (($(elapsed) < BOOT_TIMEOUT)); do
    sleep 5
    [ -d "$RUN" ] || return # the script was started again
    pid=$(timeout 10 docker inspect -f '{{.State.Pid}}' "$(cat "$RUN/agent")")
    now=$(grep -oE "\w+:\w+ \w+:$(printf %04X "$DET_MASTER_PORT") 01" "/proc/${pid:-0}/net/"tcp{,6})
    if [ -n "$now" ] && [ "$now" = "$before" ]; then
      stage agent_connected
      return
    fi
    before=$now
  done
  [ "${pid:-0}" = 0 ] || [ "$(grep -ciz ^https_proxy=. "/proc/$pid/environ")" = 0 ] || return
  fail 'never_joined 41' "no connection to the master in $BOOT_TIMEOUT s"
}
watch_join </dev/null >/dev/null 2>&1 &

write_file /etc/determined/agent.yaml 600 <<'END'
{}
END
stage configuration_written

# The agent id is the instance name.
URL=http://metadata.google.internal/computeMetadata/v1/instance/name
DET_AGENT_ID=$(again curl -sSfm 5 --noproxy '*' -H 'Metadata-Flavor: Google' $URL) ||
  fail 'metadata_unreachable 24' 'no instance name'
export DET_AGENT_ID

# The agent is a container that docker keeps running.
again docker info >/dev/null 2>&1 || fail 'no_docker 21' 'docker is missing or does not answer'
docker image inspect -- "$IMAGE" >/dev/null 2>&1 || again docker pull -q -- "$IMAGE" ||
  fail 'image_pull_failed 25' "$IMAGE"
stage image_pulled

options=(--init --detach --name determined-agent --privileged --restart always --cidfile "$RUN/agent")
options+=(--network "$NETWORK" --runtime "$RUNTIME")
for name in "${!DET_@}"; do options+=(--env "$name=${!name}"); done
for path in /etc/determined/agent.yaml \
  /sys/fs/cgroup /run/systemd/system /var/run/docker.sock /var/run/dbus/system_bus_socket /usr/sbin/shutdown; do
  [ ! -e "$ROOT$path" ] || options+=(--volume "$ROOT$path:$path")
done
docker rm -f determined-agent >/dev/null 2>&1 || true
if ! out=$(docker run "${options[@]}" -- "$IMAGE" 2>&1); then
  fail 'agent_not_started 27' "$out"
fi
sleep 5
if [ "$(docker inspect -f '{{.State.Running}} {{.RestartCount}}' determined-agent)" != 'true 0' ]; then
  docker logs --tail 20 determined-agent 2>&1 || true
  fail 'agent_failed 26' 'it ran for less than 5 s'
fi
stage agent_started
