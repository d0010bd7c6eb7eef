// The certificate with which the provisioner itself dials a master that demands those of instances: it joins nowhere.
import { generateKeyPairSync } from 'node:crypto'
import type { MasterConfig } from '../config/index.ts'
import { type AgentsCa, type CaFiles, issueTo, openAgentsCa } from '../join/index.ts'
import { type DemandFinding, probeDemand, proofProbeId } from '../pki/index.ts'
import { type Clock, wallTime } from '../platform/index.ts'
import type { JoinStore } from '../state/index.ts'
import { type CheckRow, rowsOf } from './check-rows.ts'
import { dialTimeoutMs, preflightAddress } from './preflight-gate.ts'
import type { PoolPlan } from './prepare.ts'

/** Both PEM. */
export interface ProbeCertificate {
  cert: string
  key: string
}

/** What knows how to dial a master that demands certificates. */
export interface JoinProbe {
  probe(): Promise<ProbeCertificate>
}

/** Milliseconds. */
const lifetime = 3_600_000

/** Whether a pool of the configuration requires join proofs. */
export function requiresProofs({ resource_pools }: Pick<MasterConfig, 'resource_pools'>): boolean {
  return resource_pools.some(({ provider }) => provider?.join.proof === 'required')
}

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

/** For a command beside the daemon; undefined without a CA that can be used, or without a pool that needs one. */
export async function probeOf(
  config: MasterConfig,
  store: JoinStore,
  clock: Clock,
): Promise<ProbeCertificate | undefined> {
  if (!requiresProofs(config)) return undefined
  return probeCertificate(openAgentsCa(store, caFilesOf(config)), clock)().catch(() => undefined)
}

// The row of `provision check` about a pool that requires join proofs: does its master demand them?

const what = 'join proof'

export interface JoinCheckInput {
  clock: Clock
  /** A certificate of the agents' CA for the id of the probe (`proofProbeId`), PEM; undefined: there is no CA yet. */
  certificate?: ProbeCertificate | undefined
  signal?: AbortSignal
}

/**
 * Dials the master three times. Call it for pools with `join: {proof: required}`.
 * @param plan undefined when the certificate is refused
 */
export async function checkJoinProof(
  subject: string,
  plan: PoolPlan | undefined,
  { clock, certificate, signal }: JoinCheckInput,
): Promise<CheckRow[]> {
  const { passed, notChecked, of } = rowsOf(subject)
  if (!plan?.setup) return [notChecked(what, 'fix what failed first')]
  if (!certificate) return [notChecked(what, "there is no agents' CA yet")]
  const { pool, setup } = plan
  const found: DemandFinding = await probeDemand({
    ...preflightAddress(pool, setup),
    timeoutMs: dialTimeoutMs,
    clock,
    signal,
    joinProof: { pool: pool.pool_name, certificate },
  })
  if (found.problems.length > 0) return found.problems.map((problem) => of(what, problem))
  if (found.unknown !== undefined) return [notChecked(what, found.unknown)]
  return [passed(what, "the master accepts certificates of the agents' CA only")]
}
