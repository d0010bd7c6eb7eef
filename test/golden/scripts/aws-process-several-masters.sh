#!/bin/bash
# Sets up this VM as an agent of a master, or powers it off. Written by `provision`; safe to rerun.
# Prints PROVISION_STAGE=<code> on the console; each failure has its own code and exit status.
set -Eeuo pipefail
umask 022

# Environment of the agent.
export DET_MASTER_HOST='10.0.0.5'
export DET_MASTER_PORT='8443'
# The built-in agent tries each of them.
export DET_MASTER_ADDRESSES='10.0.0.5:8443,[fd00::6]:9443'
export DET_RESOURCE_POOL='default'
export DET_SLOT_TYPE='none'
export DET_AGENT_RECONNECT_ATTEMPTS='5'
export DET_AGENT_RECONNECT_BACKOFF='5'
export DET_SECURITY_TLS_ENABLED=true
export DET_SECURITY_TLS_MASTER_CERT_NAME='determined-master.example.com'

# Seconds within which the agent must join.
BOOT_TIMEOUT='600'
# Empty on a VM; the root folder of a local VM.
ROOT=${PROVISION_ROOT:-}

RUN=''
WATCH=''
monotonic() {
  local seconds
  if read -r seconds _ 2>/dev/null </proc/uptime; then echo "${seconds%.*}"; else echo "$SECONDS"; fi
}
BEGAN=$(monotonic)
elapsed() { echo $(($(monotonic) - BEGAN)); }
CONSOLE=$ROOT/dev/console
unit=$(grep -soE 'cloud-[a-z-]+\.service' "$ROOT/proc/self/cgroup") || unit=
if [ "$unit" ] && [[ $(systemctl show -p StandardOutput "${unit%%$'\n'*}" 2>/dev/null) = *console* ]]; then
  CONSOLE=/dev/null
fi
log() { printf '%s %s\n' "$(date -u +%FT%TZ)" "$*" | tee -a "$CONSOLE" 2>/dev/null || true; }
stage() {
  local text=${2:-}
  text=${text:0:4000} text=${text//[[:cntrl:]]/ }
  log "PROVISION_STAGE=$1${text:+ ${text//PROVISION_STAGE=/PROVISION_STAGE }}"
}
has_work() {
  local id task
  id=$(cat "$ROOT/run/determined-agent-id" 2>/dev/null) || return 1
  while read -r task; do
    if grep -zqsxF "DET_AGENT_ID=$id" "$task"; then return; fi
  done < <(grep -lzs '^DET_CONTAINER_ID=' /proc/[0-9]*/environ)
  return 1
}
power_off() {
  if [ -d "$ROOT/run/systemd/system" ]; then
    (trap '' TERM HUP && sleep 7 && systemctl poweroff -ff) </dev/null >/dev/null 2>&1 &
  fi
  kill -KILL -- "-$(cat "$RUN/startup" 2>/dev/null)" 2>/dev/null || true
  "$ROOT/sbin/shutdown" -h now || true
}
fail() { # '<code> <exit status>' <what happened>
  trap - ERR
  if [ "$RUN" ] && ! mkdir "$RUN/failed" 2>/dev/null; then
    if [ -d "$RUN/failed" ] || [ ! -d "$RUN" ]; then exit "${1#* }"; fi
  fi
  stage "${1% *}" "$2"
  if has_work; then
    log 'the agent has tasks: the instance stays on while they run, or if the agent joins'
    keep_agent 2>/dev/null || true
    rm -rf "$RUN/failed"
    exit "${1#* }"
  fi
  kill "$WATCH" 2>/dev/null || true
  power_off
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

export HOME=${HOME:-/root}
cd "$ROOT/"
stage started

if [[ $0 = */cloud/instance/scripts/* ]]; then
  write_file /var/lib/cloud/scripts/per-boot/determined-agent 755 <<END
#!/bin/bash
[ "\$(readlink /var/lib/cloud/instance)" = '$(readlink "$ROOT/var/lib/cloud/instance")' ] || exit 0
PROVISION_LATER_BOOT=true exec '$0'
END
fi

# Checks that the agent joins within the boot timeout.
new_run() { rm -rf "$ROOT/run/determined" && mkdir -p "$ROOT/run/determined/$$"; }
again 4 new_run
RUN=$ROOT/run/determined/$$
ADDRESSES='10.0.0.5:8443,[fd00::6]:9443'
IFS=, read -ra MASTERS <<<"$ADDRESSES"
PORTS=$(printf '|%04X' "${MASTERS[@]##*:}") PORTS="(${PORTS#|})"
LOG=$ROOT/var/log/determined-agent.log
agent_log() { tail -c "+$(cat "$RUN/log-from")" "$LOG"; }
keep_agent() {
  : >"$RUN/kept"
  ln -sf "$ROOT/run/determined-agent/pid" "$RUN/agent"
  ln -sf "$ROOT/run/determined-agent/log-from" "$RUN/log-from"
}
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
  CONSOLE=$ROOT/dev/console
  while (($(elapsed) < BOOT_TIMEOUT)) || has_work; do
    sleep 5
    [ -d "$RUN" ] || return # the script was restarted
    pid=$(cat "$RUN/agent")
    now=$(grep -oE "\w+:\w+ \w+:$PORTS 01" "/proc/${pid:-0}/net/"tcp{,6})
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
watch_join </dev/null >/dev/null 2>&1 &
WATCH=$!

ended_early() {
  local log
  log=$(agent_log 2>/dev/null) || log=''
  note="it exited and is restarted: $(log_tail)"
  [[ -z $log || $log = *@('join the master'|'master told'|'dialing master'|'past reconnect')* ]] ||
    fail 'agent_failed 26' "it ran for less than 5 s: $(log_tail)"
}

write_file /etc/determined/agent.yaml 600 <<'END'
{
  "security": {
    "tls": {
      "enabled": true,
      "master_cert": "/usr/local/determined/master.crt",
      "master_cert_name": "determined-master.example.com"
    }
  }
}
END
write_file /usr/local/determined/master.crt 644 <<'END'
-----BEGIN CERTIFICATE-----
MIICAjCCAaigAwIBAgIUFeP0Vv/NiZM9c9I4EZzIQTEWqCEwCgYIKoZIzj0EAwIw
LzEQMA4GA1UECgwHRXhhbXBsZTEbMBkGA1UEAwwSRXhhbXBsZSBJc3N1aW5nIENB
MCAXDTI2MTEyMzE4MTIwMFoYDzIwNTYxMTE1MTgxMjAwWjAoMSYwJAYDVQQDDB1k
ZXRlcm1pbmVkLW1hc3Rlci5leGFtcGxlLmNvbTBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABCYH2o36LDCU8KT5JQvuA350aG65CD/Uw0nZAfkfzG7YE9KBMTFG51i9
68DKSryOZee/nqd83pGB5d8ISPU0RpajgaYwgaMwDAYDVR0TAQH/BAIwADAOBgNV
HQ8BAf8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUHAwEwHQYDVR0OBBYEFD9FFNVU
iVABKXcfHrWzvclNICL6MB8GA1UdIwQYMBaAFGZre315P3KemPECGzJPZGi7NhGj
MC4GA1UdEQQnMCWCHWRldGVybWluZWQtbWFzdGVyLmV4YW1wbGUuY29thwQKAAAF
MAoGCCqGSM49BAMCA0gAMEUCIA1fXWjnXHCzZJ72XdIeTZuRRxiszBt9cGcX6DAh
aqOkAiEAyZmpmhPBF+d4T+tDp+M9pSil75TzYn/zBj6TF+2mdpg=
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----
MIIBxDCCAWugAwIBAgIUfpV1p5s2mDnyKrvNBi+pJxDXmtIwCgYIKoZIzj0EAwIw
LDEQMA4GA1UECgwHRXhhbXBsZTEYMBYGA1UEAwwPRXhhbXBsZSBSb290IENBMCAX
DTI2MTEyMzE4MTIwMFoYDzIwNTYxMTE1MTgxMjAwWjAvMRAwDgYDVQQKDAdFeGFt
cGxlMRswGQYDVQQDDBJFeGFtcGxlIElzc3VpbmcgQ0EwWTATBgcqhkjOPQIBBggq
hkjOPQMBBwNCAAQmdWusYShpL7AHGNv+Mc3+seL9SP4n7eYdt2c1ttTfruQunfug
pAxnE3RJAMEbkF1kyeju6lxS9tp1EkQHY3/Io2YwZDASBgNVHRMBAf8ECDAGAQH/
AgEAMA4GA1UdDwEB/wQEAwIBBjAdBgNVHQ4EFgQUZmt7fXk/cp6Y8QIbMk9kaLs2
EaMwHwYDVR0jBBgwFoAUDPeqmUNanyB+hvabxBihgH5RTSwwCgYIKoZIzj0EAwID
RwAwRAIgdizjvz0KlkoZm4QZzNVw2tRaH2gy2p932v3R4HJt4JgCICL9uaOMZget
aNEDUsinLtdhBEWRUI9CX0oVXc93bDt4
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----
MIIBnjCCAUSgAwIBAgIUZhHuEVY+9U0cWl9PRCsTCpIKdhYwCgYIKoZIzj0EAwIw
LDEQMA4GA1UECgwHRXhhbXBsZTEYMBYGA1UEAwwPRXhhbXBsZSBSb290IENBMCAX
DTI2MTEyMzE4MTIwMFoYDzIwNTYxMTE1MTgxMjAwWjAsMRAwDgYDVQQKDAdFeGFt
cGxlMRgwFgYDVQQDDA9FeGFtcGxlIFJvb3QgQ0EwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARdJFqiO9DY9ktIhqo6ZK819LA/rmnTWLCZDzggBIa+WJ2+Kg3EtaN8
RyxP/atiBFoX2AtxHJxNe8ELVDILwg6do0IwQDAPBgNVHRMBAf8EBTADAQH/MA4G
A1UdDwEB/wQEAwIBBjAdBgNVHQ4EFgQUDPeqmUNanyB+hvabxBihgH5RTSwwCgYI
KoZIzj0EAwIDSAAwRQIhAOlMepDeGxz7kn4ePANl0Jo5LbUlN/TriHFetXnpko4A
AiBJv+QKsIsfVJ+f5znpbfsiQjVZhpjDXRexFdQht8WU7A==
-----END CERTIFICATE-----
END
stage configuration_written

# The agent id is the instance id.
imds() { curl -sSfm 5 --noproxy '*' "http://169.254.169.254/latest/$1" "${@:2}"; }
instance_id() {
  local token
  token=$(imds api/token -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60') &&
    imds meta-data/instance-id -H "X-aws-ec2-metadata-token: $token"
}
DET_AGENT_ID=$(again 15 instance_id) || fail 'metadata_unreachable 24' 'no instance id'
export DET_AGENT_ID

# Checks TLS before the agent starts, to name the fault (num: OpenSSL's X509_V_ERR_*, also from curl).
NAME='determined-master.example.com'
ADDRESSES='10.0.0.5:8443,[fd00::6]:9443'
IFS=, read -ra MASTERS <<<"$ADDRESSES"
try_tls() {
  if [ -n "${HTTPS_PROXY:-${https_proxy:-}}" ]; then return 127; fi
  if type openssl timeout >/dev/null 2>&1; then
    printf 'GET /info HTTP/1.0\r\n\r\n' | timeout 10 openssl s_client -quiet \
      -CAfile "$(file /usr/local/determined/master.crt)" -partial_chain \
      -verify_return_error -verify_hostname "$NAME" \
      -servername "$NAME" \
      -connect "$MASTER"
  else
    curl -sSm 10 --noproxy '*' --tlsv1.2 -w 'num=%{ssl_verify_result}:' \
      --cacert "$(file /usr/local/determined/master.crt)" --capath "$ROOT/usr/local/determined" \
      --connect-to "::$MASTER" \
      "https://$NAME:${MASTER##*:}/info"
  fi 2>&1
}
clock_is_right() {
  case $(timeout 10 timedatectl show -p NTPSynchronized 2>/dev/null) in
    *yes) return 0 ;;
    *no) return 1 ;;
    *) (($(elapsed) > 120)) ;;
  esac
}
check_tls() {
  local status=0
  fault='' clock=''
  out=$(try_tls) || status=$?
  case $status:$out in
    127:*) log 'TLS was not tried: a proxy is used, or openssl and curl are missing' ;;
    0:*) stage tls_checked ;;
    *num=6[234]:* | *'subject name'*) fault='tls_wrong_name 35' ;;
    *num=2:* | *num=1[89]:* | *num=2[01]:*) fault='tls_unknown_ca 34' ;;
    *num=10:*) fault='tls_expired 36' ;;
    *num=9:*) fault='tls_not_yet_valid 37' ;;
    *num=[2-9]* | *num=1[1-9]* | 60:*) fault='tls_bad_certificate 38' ;;
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
  if [[ $fault = *3[67] ]]; then
    clock=": this clock says $(date -u +%FT%TZ)"
    if [[ $out =~ not(Before|After)=[^$'\n']* ]]; then clock+=", ${BASH_REMATCH[0]}"; fi
  fi
  if [[ $fault = *36 ]] && clock_is_right; then final=true; fi
}
n=0
while :; do
  code='' kind='' all_final=true why='' tried=''
  for MASTER in "${MASTERS[@]}"; do
    check_tls
    [ "$fault" ] || break 2
    if [ ! "$code" ] || { [ "$final" ] && [ ! "$kind" ]; }; then code=$fault kind=$final; fi
    [ "$final" ] || all_final=''
    why+="${why:+; }$MASTER as $NAME$clock: ${out:0:3600 / ${#MASTERS[@]}}"
    tried+="${tried:+, }${fault% *} at $MASTER$clock"
  done
  if [ "$all_final" ] || (($(elapsed) + 5 + 10 * ${#MASTERS[@]} >= BOOT_TIMEOUT)); then fail "$code" "$why"; fi
  log "$tried, trying again"
  pause $((++n))
done

# The agent is a process.
COMMAND=('determined-agent' 'run')
[ -x "$(type -P "${COMMAND[0]}")" ] || fail 'no_agent_command 23' "${COMMAND[0]} is not on this instance"
DET_CONFIG_FILE=$(file /etc/determined/agent.yaml)
export DET_CONFIG_FILE
DET_SECURITY_TLS_MASTER_CERT=$(file /usr/local/determined/master.crt)
export DET_SECURITY_TLS_MASTER_CERT
mkdir -p "${LOG%/*}"
log_from() { echo $(($(wc -c 2>/dev/null <"$LOG" || echo 0) + 1)); }
AGENT=$ROOT/run/determined-agent
mkdir -p "$AGENT"
echo "$DET_AGENT_ID" >"$ROOT/run/determined-agent-id"
ln -s "$AGENT/pid" "$RUN/agent"
ln -s "$AGENT/log-from" "$RUN/log-from"
generation=$({
  for name in "${!DET_@}"; do printf '%s=%s\0' "$name" "${!name}"; done
  printf '%s\0' "${COMMAND[@]}"
  cat "$DET_CONFIG_FILE" "$DET_SECURITY_TLS_MASTER_CERT"
} | sha256sum)
is_up() { kill -0 "$(cat "$AGENT/pid" 2>/dev/null)" 2>/dev/null; }
note=''
if is_up; then
  if [ "$(cat "$AGENT/generation")" = "$generation" ]; then
    note='already running'
  elif has_work; then
    note='it has tasks and keeps its earlier configuration'
  fi
fi
if [ "$note" ]; then
  keep_agent
else
  systemctl stop determined-agent 2>/dev/null || true
  kill "$(cat "$AGENT/loop" 2>/dev/null)" 2>/dev/null || true
  kill "$(cat "$AGENT/pid" 2>/dev/null)" 2>/dev/null || true
  for n in {1..20}; do
    if is_up; then sleep 1; fi
  done
  rm -f "$AGENT/pid"
  log_from >"$AGENT/log-from"
  echo "$generation" >"$AGENT/generation"
  (umask 077 && {
    export -p
    printf 'echo $$ >%q; exec' "$AGENT/pid"
    printf ' %q' "${COMMAND[@]}"
    printf ' </dev/null >>%q 2>&1\n' "$LOG"
  } >"$AGENT/start")
  if [ -d "$ROOT/run/systemd/system" ] && type -P systemctl >/dev/null; then
    cat >"$ROOT/run/systemd/system/determined-agent.service" <<END
[Unit]
Description=Determined agent
[Service]
ExecStart=/bin/bash $AGENT/start
Restart=always
RestartSec=5
KillMode=process
END
    systemctl daemon-reload
    systemctl start determined-agent
  else
    # shellcheck disable=SC2016
    setsid bash -c 'while [ -e "$0" ]; do bash "$0"; sleep 5; done' "$AGENT/start" </dev/null >/dev/null 2>&1 &
    echo $! >"$AGENT/loop"
  fi
  for n in {1..50}; do
    if [ ! -s "$AGENT/pid" ]; then sleep 0.1; fi
  done
  pid=$(cat "$AGENT/pid")
  sleep 5
  if ! kill -0 "$pid" 2>/dev/null; then
    last_lines 20 || true
    ended_early
  fi
fi
stage agent_started "$note"
