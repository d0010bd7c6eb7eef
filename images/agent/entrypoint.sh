#!/bin/bash
# Runs the VM's startup script for this container, if there is one, then becomes the agent.
set -euo pipefail

script=${PROVISION_ROOT:-}/usr/local/determined/container_startup_script
if [ -s "$script" ]; then
  status=0
  # A mounted file may have lost its mode.
  if [ -x "$script" ]; then "$script" || status=$?; else bash "$script" || status=$?; fi
  if [ "$status" -ne 0 ]; then
    echo "the container startup script ended with status $status; the agent is not started" >&2
    exit "$status"
  fi
fi
# Replaces this shell, so that signals reach it.
exec provision agent "$@"
