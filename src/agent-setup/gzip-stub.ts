// A script that carries a compressed script: what GCE is given when the plain one is over its limit.

// Nothing runs before all of it is unpacked and gzip's checksum agrees; the script's exit status is passed on.
const head =
  '#!/bin/bash\n' +
  't=$(mktemp) && sed 1,2d "$0" | base64 -d | gunzip >"$t" && bash "$t"; s=$?; rm -f "$t"; exit $s\n'

export function gzipStub(compressed: Uint8Array): Uint8Array {
  return Buffer.from(`${head}${Buffer.from(compressed).toString('base64')}\n`)
}

/** The compressed bytes, or undefined when this is not such a script. */
export function fromGzipStub(text: string): Uint8Array | undefined {
  return text.startsWith(head) ? Buffer.from(text.slice(head.length), 'base64') : undefined
}
