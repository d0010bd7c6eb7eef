// Packs a script into the bytes a cloud accepts: unchanged if it fits, else compressed, else an error with the sizes.
import { createHash } from 'node:crypto'
import { anchorsOf } from '../pki/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import type { AgentSetup } from './setup.ts'
import { agentYaml, normalizeScript } from './templates.ts'

/** Follows the rule of the machine: compresses a script over the limit if the machine can unpack it. */
export async function packUserData(
  script: string,
  setup: AgentSetup,
): Promise<{ userData?: UserData; problems: Problem[] }> {
  const { limit, overflow } = setup.machine.userData
  const plain = new TextEncoder().encode(script)
  const made = (encoding: UserDataEncoding, packed: Uint8Array): { userData: UserData; problems: [] } => ({
    userData: {
      script,
      encoding,
      packed,
      bytes: { script: plain.length, packed: packed.length, ...(limit !== undefined && { limit }) },
      sha256: createHash('sha256').update(plain).digest('hex'),
    },
    problems: [],
  })
  if (limit === undefined || plain.length <= limit) return made('plain', plain)
  if (overflow === 'error') return { problems: [tooLarge(plain.length, plain.length, limit, setup)] }
  const compressed = await gzip(plain)
  const packed = overflow === 'gzip' ? compressed : gzipStub(compressed)
  if (packed.length <= limit) return made(overflow, packed)
  return { problems: [tooLarge(plain.length, packed.length, limit, setup)] }
}

/** Highest compression; the same bytes on every operating system. Loads zlib only when needed. */
export async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const { gzipSync } = await import('node:zlib')
  const packed = gzipSync(bytes, { level: 9 })
  packed[9] = 0xff // The header's operating system: unknown (RFC 1952 §2.3.1).
  return packed
}

function tooLarge(plain: number, packed: number, limit: number, setup: AgentSetup): Problem {
  const parts = partsOf(setup, plain)
  const list = Object.entries(parts).map(([name, bytes]) => `${name} ${count(bytes)}`)
  return problem(
    'USER_DATA_TOO_LARGE',
    `user data has ${count(packed)} bytes packed, and ${setup.machine.kind} accepts ${count(limit)}; unpacked: ${list.join(', ')}`,
    { details: { packed, limit, parts } },
  )
}

/** Bytes of each part of the script, before compression; largest first. */
function partsOf(setup: AgentSetup, total: number): Record<string, number> {
  const texts = {
    startup_script: normalizeScript(setup.startupScript),
    container_startup_script: normalizeScript(setup.containerStartupScript),
    'agent.yaml': agentYaml(setup.agentConfig),
    certificates: anchorsOf(setup.trust) + (setup.join?.chain ?? ''),
  }
  const sizes = Object.entries(texts).map(([name, text]): [string, number] => [name, Buffer.byteLength(text)])
  const rest = total - sizes.reduce((sum, [, bytes]) => sum + bytes, 0)
  return Object.fromEntries(
    [...sizes, ['everything else', rest] as [string, number]].sort((a, b) => b[1] - a[1]),
  )
}

function count(bytes: number): string {
  return bytes.toLocaleString('en-US')
}

// Unpacks the user data that a cloud shows for a VM.

/** Largest unpacked script in bytes: far above any cloud's limit, and safe to keep in memory. */
const mostBytes = 16 * 1024 * 1024
const base64 = /^[A-Za-z0-9+/]+={0,2}$/

/**
 * The script in user data: packed bytes in any encoding, or the base64 that `describe-instance-attribute` prints.
 * Throws `USER_DATA_UNREADABLE`.
 */
export async function unpackUserData(input: Uint8Array | string): Promise<string> {
  let bytes: Uint8Array = typeof input === 'string' ? Buffer.from(input) : input
  // The deepest nesting is base64 of gzip of the script.
  for (let layer = 0; layer < 3; layer++) {
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
      bytes = await gunzip(bytes)
      continue
    }
    const text = utf8(bytes)
    if (text?.startsWith('#!')) {
      const stubbed = fromGzipStub(text)
      return stubbed ? unpackUserData(stubbed) : text
    }
    const packed = text?.replace(/\s+/g, '')
    if (!packed || !base64.test(packed)) break
    bytes = Buffer.from(packed, 'base64')
  }
  throw unreadable('neither a script, nor gzip, nor base64 of one')
}

async function gunzip(bytes: Uint8Array): Promise<Uint8Array> {
  const { gunzipSync } = await import('node:zlib')
  try {
    return gunzipSync(bytes, { maxOutputLength: mostBytes })
  } catch (cause) {
    throw unreadable(`the compressed part is damaged or too large (${(cause as Error).message})`, cause)
  }
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function unreadable(why: string, cause?: unknown): ProvisionError {
  return new ProvisionError(problem('USER_DATA_UNREADABLE', `this is not user data: ${why}`, { cause }))
}

// A script that contains the compressed script, for clouds that run user data unchanged.

// It runs the script only after unpacking all of it with a correct checksum, and exits with the script's status.
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

// User data: the bytes for a VM, and the script they contain.

/** `plain`: the script. `gzip`: the compressed script. `gzip-stub`: a small script that unpacks the compressed script. */
export type UserDataEncoding = 'plain' | 'gzip' | 'gzip-stub'

export interface UserData {
  /** The script as text, to show and to hash. */
  script: string
  encoding: UserDataEncoding
  /** The bytes for the cloud, before any base64 that its API requires. */
  packed: Uint8Array
  /** Bytes. `limit` is the cloud's, for `packed`; undefined when the cloud has none. */
  bytes: { script: number; packed: number; limit?: number }
  /** SHA-256 of the script's UTF-8 bytes, lower-case hex. */
  sha256: string
}
