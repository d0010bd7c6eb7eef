// From a script to the bytes a cloud accepts: as it is when it fits, else compressed, else an error that says what is large.
import { createHash } from 'node:crypto'
import { anchorsOf } from '../pki/trust-plan.ts'
import { type Problem, problem } from '../problems/problem.ts'
import { gzipStub } from './gzip-stub.ts'
import { agentYaml, normalizeScript } from './script-text.ts'
import type { AgentSetup } from './setup.ts'
import { type UserData, type UserDataEncoding, userDataLimit } from './user-data.ts'

/**
 * The limit is the cloud's, see `userDataLimit`. cloud-init unpacks gzip by itself
 * (https://cloudinit.readthedocs.io/en/latest/explanation/format.html#gzip-compressed-content);
 * GCE runs `startup-script` as it is, so there a stub unpacks the rest.
 */
export async function packUserData(
  script: string,
  setup: AgentSetup,
): Promise<{ userData?: UserData; problems: Problem[] }> {
  const { cloud } = setup
  const plain = new TextEncoder().encode(script)
  const limit = userDataLimit[cloud]
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
  const compressed = await gzip(plain)
  const [encoding, packed] =
    cloud === 'aws' ? (['gzip', compressed] as const) : (['gzip-stub', gzipStub(compressed)] as const)
  if (packed.length <= limit) return made(encoding, packed)
  return { problems: [tooLarge(plain.length, packed.length, limit, setup)] }
}

/** Smallest form, the same bytes on every operating system. zlib is loaded only when it is needed. */
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
    `user data has ${count(packed)} bytes packed, and ${setup.cloud} takes ${count(limit)}; unpacked: ${list.join(', ')}`,
    { details: { packed, limit, parts } },
  )
}

/** Bytes of each part of the script, before compression; largest first. */
function partsOf(setup: AgentSetup, total: number): Record<string, number> {
  const texts = {
    startup_script: normalizeScript(setup.startupScript),
    container_startup_script: normalizeScript(setup.containerStartupScript),
    'agent.yaml': agentYaml(setup.agentConfig),
    certificates: anchorsOf(setup.trust),
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
