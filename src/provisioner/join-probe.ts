// The certificate with which the provisioner itself dials a master that demands those of instances: it joins nowhere.
import { generateKeyPairSync } from 'node:crypto'
import { type MasterConfig, requiresProof } from '../config/index.ts'
import { type CaInForce, caFilesOf, caInForce, issueTo } from '../join/index.ts'
import { proofProbeId } from '../pki/index.ts'
import { type Clock, wallTime } from '../platform/index.ts'
import type { JoinStore } from '../state/index.ts'
import type { ProbeCertificate } from './preflight-gate.ts'

/** Milliseconds. */
const lifetime = 3_600_000

/** Whether a pool of the configuration requires join proofs. */
export function requiresProofs({ resource_pools }: Pick<MasterConfig, 'resource_pools'>): boolean {
  return resource_pools.some(({ provider }) => provider !== undefined && requiresProof(provider))
}

/**
 * Issues a new one when the last has lived for half of its time, or when the CA has changed. While that fails, the last one is
 * used as long as it is valid. Throws a ProvisionError, such as AGENTS_CA_TOKEN.
 */
export function probeCertificate(
  ca: () => Promise<CaInForce>,
  clock: Clock,
): () => Promise<ProbeCertificate> {
  let last: { version: string; renewAt: number; expiresAt: number; pair: ProbeCertificate } | undefined
  return async () => {
    const current = await ca()
    const now = wallTime(clock)
    const known = last?.version === current.version && now < last.expiresAt ? last : undefined
    if (known && now < known.renewAt) return known.pair
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const expiresAt = Math.min(now + lifetime, current.issuing.notAfter)
    try {
      const cert = await issueTo(current, { id: proofProbeId, publicKey, now, expiresAt })
      const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      last = { version: current.version, renewAt: now + lifetime / 2, expiresAt, pair: { cert, key } }
    } catch (error) {
      if (!known) throw error
      return known.pair
    }
    return last.pair
  }
}

/**
 * For a command beside the daemon; undefined without a pool that needs one, and while there is no CA. Throws
 * AGENTS_CA_UNUSABLE.
 */
export async function probeOf(
  config: MasterConfig,
  store: JoinStore,
  { clock, env }: { clock: Clock; env: Readonly<Record<string, string | undefined>> },
): Promise<ProbeCertificate | undefined> {
  if (!requiresProofs(config)) return undefined
  const files = caFilesOf(config, env)
  if (!files && !(await store.readCa())) return undefined
  return probeCertificate(() => caInForce(store, files), clock)()
}
