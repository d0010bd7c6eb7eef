// The certificate with which the provisioner itself dials a master that demands those of instances: it joins nowhere.
import { generateKeyPairSync } from 'node:crypto'
import type { MasterConfig } from '../config/index.ts'
import { type AgentsCa, type CaFiles, issueTo } from '../join/index.ts'
import { proofProbeId } from '../pki/index.ts'
import { type Clock, wallTime } from '../platform/index.ts'

/** Both PEM. */
export interface ProbeCertificate {
  cert: string
  key: string
}

/** Milliseconds. */
const lifetime = 3_600_000

/** The CA in files of the user, if the configuration names them. */
export function caFilesOf({ agents_ca }: Pick<MasterConfig, 'agents_ca'>): CaFiles | undefined {
  const { key_file: keyFile, certificate_file: certificateFile } = agents_ca
  return keyFile !== undefined && certificateFile !== undefined ? { keyFile, certificateFile } : undefined
}

/** Issues a new one when the last has lived for half of its time, or when the CA has changed. */
export function probeCertificate(ca: AgentsCa, clock: Clock): () => Promise<ProbeCertificate> {
  let last: { version: string; until: number; pair: ProbeCertificate } | undefined
  return async () => {
    const current = await ca.current()
    const now = wallTime(clock)
    if (last?.version === current.version && now < last.until) return last.pair
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const expiresAt = Math.min(now + lifetime, current.issuing.notAfter)
    const cert = await issueTo(current, { id: proofProbeId, publicKey, now, expiresAt })
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    last = { version: current.version, until: now + lifetime / 2, pair: { cert, key } }
    return last.pair
  }
}
