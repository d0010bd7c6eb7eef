#!/bin/bash
# Sets up this VM as an agent of a master, or powers it off. Written by `provision`; safe to rerun.
# Prints PROVISION_STAGE=<code> on the console; each failure has its own code and exit status.
set -Eeuo pipefail
umask 022

# Environment of the agent.
export DET_MASTER_HOST='10.0.0.5'
export DET_MASTER_PORT='8443'
export DET_RESOURCE_POOL='default'
export DET_SLOT_TYPE='none'
export DET_AGENT_RECONNECT_ATTEMPTS='5'
export DET_AGENT_RECONNECT_BACKOFF='5'
export DET_SECURITY_TLS_ENABLED=true
export DET_SECURITY_TLS_SKIP_VERIFY=true
export DET_SECURITY_TLS_MASTER_CERT_NAME='determined-master.example.com'

# Seconds within which the agent must join.
BOOT_TIMEOUT='600'
# Empty on a VM; the root folder of a local VM.
ROOT=${PROVISION_ROOT:-}

RUN=''
monotonic() {
  local seconds
  if read -r seconds _ 2>/dev/null </proc/uptime; then echo "${seconds%.*}"; else echo "$SECONDS"; fi
}
BEGAN=$(monotonic)
elapsed() { echo $(($(monotonic) - BEGAN)); }
log() { printf '%s %s\n' "$(date -u +%FT%TZ)" "$*"; }
stage() {
  local text=${2:-}
  text=${text:0:4000} text=${text//[[:cntrl:]]/ }
  log "PROVISION_STAGE=$1${text:+ ${text//PROVISION_STAGE=/PROVISION_STAGE }}"
}
fail() { # '<code> <exit status>' <what happened>
  trap - ERR
  if [ "$RUN" ] && ! mkdir "$RUN/failed" 2>/dev/null; then
    if [ -d "$RUN/failed" ] || [ ! -d "$RUN" ]; then exit "${1#* }"; fi
  fi
  stage "${1% *}" "$2"
  exit "${1#* }"
}
trap '((BASH_SUBSHELL)) || fail "internal_error 1" "line $LINENO: $BASH_COMMAND"' ERR
pause() { local s=(0 1 1 2 3) && sleep "${s[$1]:-5}"; }
again() { # <times at most> <command>
  local n
  for ((n = 1; n < $1; n++)); do
    if "${@:2}"; then return; fi
    pause "$n"
  done
  "${@:2}"
}
file() { # <path>: its path on this VM; /usr is read-only on some images
  local files=$ROOT/usr/local/determined
  case $1 in
    /usr/local/determined/*)
      mkdir -p "$files" 2>/dev/null || true
      [ -w "$files" ] || files=$ROOT/var/lib/determined
      echo "$files/${1##*/}"
      ;;
    *) echo "$ROOT$1" ;;
  esac
}
write_file() { # <path> <mode> [first lines] < <content>
  local file
  file=$(file "$1")
  [ ! -d "$file" ] || rmdir "$file" 2>/dev/null || true
  { mkdir -p "${file%/*}" && (umask 077 && { [ -z "${3:-}" ] || printf '%s\n' "$3"; } >"$file" && cat >>"$file") && chmod "$2" "$file"; } ||
    fail 'disk_not_writable 28' "$file could not be written"
}

# This VM is a process group with a root folder. When the script ends, the group is terminated.
end_group() {
  local n
  set +e
  trap '' TERM ERR
  kill -TERM -- -$$ 2>/dev/null
  for ((n = 0; n < 100; n++)); do
    [ -n "$(jobs -pr)" ] || return
    sleep 0.1
  done
  kill -KILL -- -$$
}
trap end_group EXIT
trap 'exit 143' TERM INT HUP
trap 'exit 41' USR1

ROOT=$(cd "${ROOT:-/}" && pwd -P) || ROOT=/
if [ "$ROOT" = / ]; then fail 'internal_error 1' 'PROVISION_ROOT must name a folder, and not /'; fi
export DET_AGENT_ID=${PROVISION_INSTANCE_ID:-}
if [ -z "$DET_AGENT_ID" ]; then fail 'internal_error 1' 'PROVISION_INSTANCE_ID is not set'; fi
HOME=$ROOT

export HOME=${HOME:-/root}
cd "$ROOT/"
stage started

# Checks that the agent joins within the boot timeout.
new_run() { rm -rf "$ROOT/run/determined" && mkdir -p "$ROOT/run/determined/$$"; }
again 4 new_run
RUN=$ROOT/run/determined/$$
PORTS=$(printf %04X "$DET_MASTER_PORT")
LOG=$ROOT/var/log/determined-agent.log
agent_log() { tail -c "+$(cat "$RUN/log-from")" "$LOG"; }
joined() {
  local found
  found=$(agent_log 2>/dev/null | sed -nE \
    -e '/joined the master|writing agent started message/{s/.*/joined/p;q;}' \
    -e '/connecting to the master|level=trace|TRAC/{s/.*/silent/;h;}' -e '$!d;x;p')
  case $found in
    *joined*) ;;
    *silent*) [ -e "$RUN/kept" ] && return 2 || return 1 ;;
    *) return 2 ;;
  esac
}
last_lines() { # <how many>
  agent_log 2>/dev/null | grep -v 'agent configuration' | tail -n "$1" | sed -E \
    -e 's#://[^@/ ]*@#://***@#g' -e 's/A[KS]IA[A-Z0-9]{16}/***/g' -e 's/([?&](sig|key|code)=)[^ &"]+/\1***/gI' \
    -e 's/((bearer|basic|digest) +)[^ ,}"\]+/\1***/gI' \
    -e 's/((token|passw|secret|auth|signature|credential|api.?key|access.?key)[a-z0-9_-]*\\?"?[=: ]+)(\\"[^"]*"|"[^"]*"|[^ ,}&]+)/\1***/gI' \
    -e 's/(.{300}).*/\1/'
}
log_tail() {
  local tail
  tail=$(last_lines 3)
  echo "${tail//$'\n'/ | }"
}
watch_join() {
  local pid now before='' held=0 tail
  trap - ERR
  set +e
  while (($(elapsed) < BOOT_TIMEOUT)); do
    sleep 5
    [ -d "$RUN" ] || return # the script was restarted
    pid=$(cat "$RUN/agent")
    # Other local VMs share the network: only sockets of this agent count.
    now=$(sed -nE "s/.*:$PORTS 01 ([^ ]+ +){5}([0-9]+) .*/socket:[\2]/p" \
      "/proc/${pid:-0}/net/"tcp{,6} | grep -F "$(readlink "/proc/${pid:-0}/fd/"*)")
    before=$(grep -xF "${before:-none}" <<<"$now")
    if [ -z "$before" ]; then
      held=0
      before=$now
    else
      joined
      case $? in
        0) stage agent_connected && return ;;
        1) held=0 ;;
        *) ((++held < 6)) || break ;;
      esac
    fi
  done
  if ((held)); then
    stage agent_connected 'by its connection: its log does not show it'
    return
  fi
  [ "${pid:-0}" = 0 ] || [ "$(grep -ciz ^https_proxy=. "/proc/$pid/environ")" = 0 ] || return
  tail=$(log_tail)
  fail 'never_joined 41' "the agent did not join the master in $BOOT_TIMEOUT s${tail:+: $tail}"
}
watch_join </dev/null 2>/dev/null &

# The pool's startup_script runs first: it may install what the rest needs.
startup=$(file /usr/local/determined/startup_script)
write_file /usr/local/determined/startup_script 700 <<'END'
touch ready
END
"$startup" </dev/null || fail 'startup_script_failed 20' "its exit status is $?"
stage startup_script_done

write_file /etc/determined/agent.yaml 600 <<'END'
{
  "security": {
    "tls": {
      "enabled": true,
      "skip_verify": true,
      "master_cert_name": "determined-master.example.com"
    }
  }
}
END
stage configuration_written

# Checks TLS before the agent starts, to name the fault (num: OpenSSL's X509_V_ERR_*, also from curl).
NAME='determined-master.example.com'
MASTER=$DET_MASTER_HOST:$DET_MASTER_PORT
try_tls() {
  if [ -n "${HTTPS_PROXY:-${https_proxy:-}}" ]; then return 127; fi
  if type openssl timeout >/dev/null 2>&1; then
    printf 'GET /info HTTP/1.0\r\n\r\n' | timeout 10 openssl s_client -quiet \
      -servername "$NAME" \
      -connect "$MASTER"
  else
    curl -sSm 10 --noproxy '*' --tlsv1.2 -w 'num=%{ssl_verify_result}:' \
      --insecure \
      --connect-to "::$MASTER" \
      "https://$NAME:${MASTER##*:}/info"
  fi 2>&1
}
check_tls() {
  local status=0
  fault='' clock=''
  out=$(try_tls) || status=$?
  case $status:$out in
    127:*) log 'TLS was not tried: a proxy is used, or openssl and curl are missing' ;;
    0:*) stage tls_checked ;;
    *'not known'* | *'name resol'* | *'not resolve'* | *'No address'*) fault='tls_dns 30' ;;
    *'onnection refused'*) fault='tls_refused 32' ;;
    *'wrong version'* | *'packet length'*) fault='tls_not_tls 33' ;;
    *'certificate required'*) fault='tls_client_certificate 40' ;;
    *' alert '*) fault='tls_handshake_failed 39' ;;
    *'verify return:1'*) stage tls_checked ;;
    124:* | 28:* | 7:* | *errno=1[01][013]*) fault='tls_unreachable 31' ;;
    *) fault='tls_handshake_failed 39' ;;
  esac
  final=true
  if [[ $fault = *3[012679] ]]; then final=''; fi
}
n=0
while :; do
  check_tls
  [ "$fault" ] || break
  if [ "$final" ] || (($(elapsed) + 15 >= BOOT_TIMEOUT)); then fail "$fault" "$MASTER as $NAME$clock: $out"; fi
  log "${fault% *}, trying again$clock"
  pause $((++n))
done

# The agent is a process.
COMMAND=('/usr/bin/node' '/opt/provision/cli.js' 'agent')
[ -x "$(type -P "${COMMAND[0]}")" ] || fail 'no_agent_command 23' "${COMMAND[0]} is not on this instance"
DET_CONFIG_FILE=$(file /etc/determined/agent.yaml)
export DET_CONFIG_FILE
mkdir -p "${LOG%/*}"
log_from() { echo $(($(wc -c 2>/dev/null <"$LOG" || echo 0) + 1)); }
log_from >"$RUN/log-from"
"${COMMAND[@]}" </dev/null >>"$LOG" 2>&1 &
echo $! >"$RUN/agent"
sleep 5
if ! kill -0 $! 2>/dev/null; then
  tail -n 20 "$LOG"
  fail 'agent_failed 26' 'it ran for less than 5 s'
fi
stage agent_started

while kill -0 $! 2>/dev/null; do sleep 1; done
wait $! || fail 'agent_failed 26' "its exit status is $?"
