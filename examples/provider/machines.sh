#!/usr/bin/env bash
# The machines of a rack. Here they are processes; replace each function with the tools of your datacentre.
#
#   machines.sh FOLDER start ID TAGS <SCRIPT   starts a machine, only once for an id; prints its line
#   machines.sh FOLDER list                    a line for each machine: ID STATE STARTED TAGS
#   machines.sh FOLDER stop ID
#   machines.sh FOLDER console ID              what it has printed
set -euo pipefail
shopt -s nullglob
cd "$1"

start() {
  local new
  new=$(mktemp new.XXXXXX)
  echo "$(date +%s) $2" >"$new"
  # A name can be linked only once: a second call finds the machine of the first.
  if ln "$new" "$1.machine" 2>/dev/null; then
    cat >"$1.script"
    set -m # Every machine is a process group of its own.
    (
      MACHINE=$1 bash "$1.script" || true
      echo stopped >"$1.state"
    ) </dev/null >"$1.console" 2>&1 &
    echo $! >"$1.pid"
  fi
  rm "$new"
  line "$1"
}

list() {
  local machine
  for machine in *.machine; do line "${machine%.machine}"; done
}

stop() {
  if [ "$(state "$1")" = running ]; then kill -TERM -- "-$(cat "$1.pid")" || true; fi
  echo terminated >"$1.state"
}

console() { cat "$1.console" 2>/dev/null || true; }
state() { cat "$1.state" 2>/dev/null || echo running; }
line() { echo "$1 $(state "$1") $(cat "$1.machine")"; }

"${@:2}"
