#!/usr/bin/env bash
# Creates a small Debian root file system and packs it: debian-root.sh <archive.tar.zst> <suite> <mirror> <package,...>
set -euo pipefail
archive=$1 suite=$2 mirror=$3 packages=$4

if ! command -v mmdebstrap >/dev/null; then
  echo "test:boot cannot run here: mmdebstrap is not installed, and $archive has to be made" >&2
  exit 1
fi
part=${archive%.tar.zst}.$$.part.tar.zst
trap 'kill $(jobs -p) 2>/dev/null && wait; rm -f "$part"' EXIT
trap 'exit 130' INT TERM HUP
echo "making $archive, which takes a minute, once"
mmdebstrap --quiet --mode=root --variant=minbase \
  --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --include="$packages" "$suite" "$part" "$mirror" &
wait $!
mv "$part" "$archive"
