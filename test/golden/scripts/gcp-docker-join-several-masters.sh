#!/bin/bash
# Sets up this VM as an agent of a master, or powers it off. Written by `provision`; safe to rerun.
# Prints PROVISION_STAGE=<code> on the console; each failure has its own code and exit status.
set -Eeuo pipefail
umask 022

# Environment of the agent.
export DET_MASTER_HOST='master-a.example.com'
export DET_MASTER_PORT='8443'
# The built-in agent tries each of them.
export DET_MASTER_ADDRESSES='master-a.example.com:8443,master-b.example.com:8443'
export DET_RESOURCE_POOL='default'
export DET_SLOT_TYPE='none'
export DET_AGENT_RECONNECT_ATTEMPTS='5'
export DET_AGENT_RECONNECT_BACKOFF='5'
export DET_SECURITY_TLS_ENABLED=true
IMAGE='registry.example.com/provision-agent:0.1.0'
NETWORK='default'
RUNTIME='runc'

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
log() { printf '%s %s\n' "$(date -u +%FT%TZ)" "$*" | tee -a "$CONSOLE" 2>/dev/null || true; }
stage() {
  local text=${2:-}
  text=${text:0:4000} text=${text//[[:cntrl:]]/ }
  log "PROVISION_STAGE=$1${text:+ ${text//PROVISION_STAGE=/PROVISION_STAGE }}"
}
has_work() {
  local id task
  id=$(cat "$ROOT/run/determined-agent-id" 2>/dev/null) || return 1
  if [ "$(timeout 20 docker ps -q --filter "label=ai.determined.container.agent=$id" 2>/dev/null)" ]; then return; fi
  while read -r task; do
    if grep -zqsxF "DET_AGENT_ID=$id" "$task"; then return; fi
  done < <(grep -lzs '^DET_CONTAINER_ID=' /proc/[0-9]*/environ)
  return 1
}
pull() { docker image inspect -- "$IMAGE" >/dev/null 2>&1 || docker pull -q -- "$IMAGE"; }
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

# Checks that the agent joins within the boot timeout.
new_run() { rm -rf "$ROOT/run/determined" && mkdir -p "$ROOT/run/determined/$$"; }
again 4 new_run
RUN=$ROOT/run/determined/$$
ADDRESSES='master-a.example.com:8443,master-b.example.com:8443'
IFS=, read -ra MASTERS <<<"$ADDRESSES"
PORTS=$(printf '|%04X' "${MASTERS[@]##*:}") PORTS="(${PORTS#|})"
agent_log() { timeout 10 docker logs "$@" "$(cat "$RUN/agent")" 2>&1; }
keep_agent() {
  : >"$RUN/kept"
  docker inspect -f '{{.Id}}' determined-agent >"$RUN/agent"
}
joined() {
  local found
  local since
  since=$(timeout 10 docker inspect -f '{{.State.StartedAt}}' determined-agent)
  [[ $since < $(date -u +%FT%TZ) ]] || since=0
  found=$(agent_log --since "$since" 2>/dev/null | sed -nE \
    -e '/joined the master|writing agent started message/{s/.*/joined/p;q;}' \
    -e '/connecting to the master|level=trace|TRAC/{s/.*/silent/;h;}' -e '$!d;x;p')
  case $found in
    *joined*) ;;
    *silent*) [ -e "$RUN/kept" ] && return 2 || return 1 ;;
    *) return 2 ;;
  esac
}
last_lines() { # <how many>
  agent_log --tail 2000 2>/dev/null | grep -v 'agent configuration' | tail -n "$1" | sed -E \
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
    pid=$(timeout 10 docker inspect -f '{{.State.Pid}}' "$(cat "$RUN/agent")")
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
  log=$(agent_log --tail 2000 2>/dev/null) || log=''
  note="it exited and is restarted: $(log_tail)"
  [[ -z $log || $log = *@('join the master'|'master told'|'dialing master'|'past reconnect')* ]] ||
    fail 'agent_failed 26' "it ran for less than 5 s: $(log_tail)"
}

pull >/dev/null 2>&1 &
PULL=$!
write_file /etc/determined/agent.yaml 600 <<'END'
{
  "security": {
    "tls": {
      "enabled": true,
      "master_cert": "/usr/local/determined/master.crt"
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

# The agent id is the instance name.
URL=http://metadata.google.internal/computeMetadata/v1/instance/name
DET_AGENT_ID=$(again 15 curl -sSfm 5 --noproxy '*' -H 'Metadata-Flavor: Google' $URL) ||
  fail 'metadata_unreachable 24' 'no instance name'
export DET_AGENT_ID

# Gets a client certificate from the provisioner. Its key never leaves this instance.
JOIN_URL='https://master-a.example.com:8443'
JOIN_TO='::master-a.example.com:8443'
JOIN_ENDPOINT='https://master-a.example.com:8443/v1/join'
JOIN_URLS=('https://master-a.example.com:8443' 'https://master-b.example.com:8443')
JOIN_TOS=('::master-a.example.com:8443' '::master-b.example.com:8443')
JOIN_ENDPOINTS=('https://master-a.example.com:8443/v1/join' 'https://master-b.example.com:8443/v1/join')
JOIN_AT=0
JOIN_RENEW='86400'
JOIN_PROOFS=('gcp-identity-token')
JOIN=$(file /usr/local/determined/join)
JOIN_TRUST=(--tlsv1.2)
JOIN_TRUST+=(--cacert "$(file /usr/local/determined/master.crt)" --capath "$JOIN")
join_proof() {
  local token
  token=$(curl -sSfm 5 --noproxy '*' -H 'Metadata-Flavor: Google' -G -d format=full --data-urlencode "audience=$JOIN_URL/v1/join/$2" \
    http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity) &&
    printf '{"kind":"%s","token":"%s"}' "$1" "$token"
}
PROOF_FUNCTIONS=(join_proof)
join_call() {
  rm -f "$JOIN/new"
  why=$(curl -sSm 15 "${JOIN_TRUST[@]}" --connect-to "$JOIN_TO" -o "$JOIN/new" -w ' status %{http_code}' \
    "${@:2}" "$JOIN_ENDPOINT$1" 2>&1) || true
  [[ $why = *'status 200'* ]]
}
join_post() {
  join_call "$@" -H 'Content-Type: application/json' -H 'Accept: application/x-pem-file' -d @- || return
  if [ "$(openssl x509 -noout -pubkey -in "$JOIN/new" 2>&1)" != "$(openssl pkey -pubout -in "$JOIN/agent.key")" ]; then
    why='its answer is not a certificate of this instance'
    return 1
  fi
  mv -f "$JOIN/new" "$JOIN/agent.crt"
}
join_valid() { openssl x509 -noout -checkend 0 -in "$JOIN/agent.crt" >/dev/null 2>&1; }
join_ask() { # one attempt
  local key kind nonce proof re='"nonce"[[:space:]]*:[[:space:]]*"([A-Za-z0-9_.=-]+)"'
  fault='join_unreachable 42'
  if join_valid; then
    if join_post /renew --cert "$JOIN/agent.crt" --key "$JOIN/agent.key" <<<"{\"csr\":\"$JOIN_CSR\"}"; then return; fi
    [[ $why = *'status 40'* ]] || return
  fi
  key=$(openssl pkey -pubout -in "$JOIN/agent.key" -outform DER | openssl dgst -sha256)
  join_call "/challenge?key=${key##* }" || return
  why='its challenge has no nonce'
  [[ $(cat "$JOIN/new") =~ $re ]] || return
  nonce=${BASH_REMATCH[1]}
  kind=${JOIN_PROOFS[JOIN_N++ % ${#JOIN_PROOFS[@]}]}
  if ! proof=$(join_proof "$kind" "$nonce" 2>"$JOIN/error"); then
    fault='proof_unavailable 44' why="no $kind: $(cat "$JOIN/error")"
    return 1
  fi
  if join_post '' <<<"{\"id\":\"$DET_AGENT_ID\",\"nonce\":\"$nonce\",\"csr\":\"$JOIN_CSR\",\"url\":\"$JOIN_URL\",\"proof\":$proof}"; then return; fi
  [[ $why != *'status 403'* ]] || fault='join_refused 43'
  return 1
}
join_try() { # one attempt at each address, beginning with the one that answered last
  local tried='' code=''
  for _ in "${JOIN_URLS[@]}"; do
    JOIN_URL=${JOIN_URLS[JOIN_AT]} JOIN_TO=${JOIN_TOS[JOIN_AT]} JOIN_ENDPOINT=${JOIN_ENDPOINTS[JOIN_AT]}
    if join_ask; then return; fi
    tried+="${tried:+; }$JOIN_URL: $why"
    if [ ! "$code" ] || [ "$code" = 'join_unreachable 42' ]; then code=$fault; fi
    JOIN_AT=$(((JOIN_AT + 1) % ${#JOIN_URLS[@]}))
  done
  fault=$code why=$tried
  return 1
}
join_renew() {
  while sleep $((JOIN_RENEW * (32768 + RANDOM) / 65536 / JOIN_PART)); do
    if join_try; then JOIN_PART=1; else JOIN_PART=24 && echo "${fault% *}: $why"; fi
  done
}

for tool in openssl curl; do
  [ -x "$(type -P $tool)" ] || fail 'proof_unavailable 44' "$tool is not on this instance"
done
umask 077
if [ "$(cat "$JOIN/id" 2>/dev/null)" != "$DET_AGENT_ID" ] || ! openssl pkey -noout -in "$JOIN/agent.key" >/dev/null 2>&1; then
  { mkdir -p "$JOIN" && chmod 700 "$JOIN" && rm -f "$JOIN"/* && openssl ecparam -name prime256v1 -genkey -noout -out "$JOIN/new" &&
    mv -f "$JOIN/new" "$JOIN/agent.key" && echo "$DET_AGENT_ID" >"$JOIN/id" && sync "$JOIN"/* "$JOIN"; } ||
    fail 'disk_not_writable 28' "no key could be made in $JOIN"
fi
JOIN_CSR=$(openssl req -new -sha256 -key "$JOIN/agent.key" -subj "/CN=$DET_AGENT_ID" -outform DER \
  -config /dev/stdin <<<$'[req]\ndistinguished_name=dn\n[dn]' | openssl base64 -A)
JOIN_N=0 JOIN_PART=1 n=0
until join_try; do
  log "${fault% *}: $why"
  if join_valid; then JOIN_PART=24 && break; fi
  if (($(elapsed) + 30 >= BOOT_TIMEOUT)); then fail "$fault" "$why"; fi
  pause $((++n))
done
stage certificate_issued

{
  export -p | grep -i '_proxy=' || true
  declare -p "${!JOIN@}" DET_AGENT_ID
  declare -f join_call join_post join_valid join_try join_ask join_renew "${PROOF_FUNCTIONS[@]}"
  echo 'umask 077; set -o pipefail; join_renew'
} >"$JOIN/renew"
umask 022
if [ -d "$ROOT/run/systemd/system" ] && type -P systemctl >/dev/null; then
  cat >"$ROOT/run/systemd/system/determined-join.service" <<END
[Unit]
Description=Renews the certificate of the Determined agent
[Service]
ExecStart=/bin/bash $JOIN/renew
Restart=always
RestartSec=60
END
  systemctl daemon-reload
  systemctl restart determined-join
else
  kill "$(cat "$ROOT/run/determined-join" 2>/dev/null)" 2>/dev/null || true
  setsid bash "$JOIN/renew" </dev/null >/dev/null 2>&1 &
  echo $! >"$ROOT/run/determined-join"
fi

# Checks TLS before the agent starts, to name the fault (num: OpenSSL's X509_V_ERR_*, also from curl).
NAME='master-a.example.com'
ADDRESSES='master-a.example.com:8443,master-b.example.com:8443'
IFS=, read -ra MASTERS <<<"$ADDRESSES"
try_tls() {
  if grep -qs httpsProxy ~/.docker/config.json; then return 127; fi
  if type openssl timeout >/dev/null 2>&1; then
    printf 'GET /info HTTP/1.0\r\n\r\n' | timeout 10 openssl s_client -quiet \
      -cert "$JOIN/agent.crt" -key "$JOIN/agent.key" \
      -CAfile "$(file /usr/local/determined/master.crt)" -partial_chain \
      -verify_return_error -verify_hostname "$NAME" \
      -servername "$NAME" \
      -connect "$MASTER"
  else
    curl -sSm 10 --noproxy '*' --tlsv1.2 -w 'num=%{ssl_verify_result}:' \
      --cert "$JOIN/agent.crt" --key "$JOIN/agent.key" \
      --cacert "$(file /usr/local/determined/master.crt)" --capath "$ROOT/usr/local/determined" \
      --connect-to "::$MASTER" \
      "https://$MASTER/info"
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
    NAME=${MASTER%:*} NAME=${NAME#[} NAME=${NAME%]}
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

# The agent is a container that docker restarts.
[ -x "$(type -P docker)" ] || fail 'no_docker 21' 'there is no docker command on this instance'
again 21 timeout 20 docker info >/dev/null 2>&1 || fail 'no_docker 21' 'docker does not answer'
wait "${PULL:-}" 2>/dev/null || again 19 pull || fail 'image_pull_failed 25' "$IMAGE"
stage image_pulled

export DET_SECURITY_TLS_MASTER_CERT=/usr/local/determined/master.crt
options=(--init --detach --name determined-agent --privileged --restart always)
options+=(--volume "$JOIN:/usr/local/determined/join:ro")
options+=(--network "$NETWORK" --runtime "$RUNTIME")
for name in "${!DET_@}"; do options+=(--env "$name=${!name}"); done
files=()
for path in /etc/determined/agent.yaml /usr/local/determined/master.crt \
  /sys/fs/cgroup /run/systemd/system /var/run/docker.sock /var/run/dbus/system_bus_socket /usr/sbin/shutdown; do
  file=$(file "$path")
  [ ! -e "$file" ] || options+=(--volume "$file:$path")
  [[ $path != */determined/* ]] || files+=("$file")
done
generation=$({ printf '%s\0' "$IMAGE" "${options[@]}" && cat "${files[@]}"; } | sha256sum)
options+=(--label "provision.generation=${generation%% *}" --cidfile "$RUN/agent")

find_agent() {
  found=$(timeout 20 docker inspect -f '{{.State.Status}} {{index .Config.Labels "provision.generation"}}' \
    determined-agent 2>"$RUN/error") || { found='' && grep -qi 'no such' "$RUN/error"; }
}
again 9 find_agent || fail 'no_docker 21' "docker cannot inspect the agent: $(cat "$RUN/error")"
echo "$DET_AGENT_ID" >"$ROOT/run/determined-agent-id"
note=''
if [ "$found" = "running ${generation%% *}" ]; then
  note='already running'
elif [[ $found = running* ]] && has_work; then
  note='it has tasks and keeps its earlier configuration'
fi
if [ "$note" ]; then
  again 9 keep_agent
else
  docker stop -t 20 determined-agent >/dev/null 2>&1 || true
  docker rm -f determined-agent >/dev/null 2>&1 || true
  if ! out=$(docker run "${options[@]}" -- "$IMAGE" 2>&1); then
    fail 'agent_not_started 27' "$out"
  fi
  sleep 5
  if [ "$(docker inspect -f '{{.State.Running}} {{.RestartCount}}' determined-agent)" != 'true 0' ]; then
    last_lines 20 || true
    ended_early
  fi
fi
stage agent_started "$note"
