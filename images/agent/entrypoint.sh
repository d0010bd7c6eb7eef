#!/bin/bash
# Runs the startup script a VM brings along for this container, if any, then becomes the agent.
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
# In the place of this shell, so that signals reach it.
exec provision agent "$@"
