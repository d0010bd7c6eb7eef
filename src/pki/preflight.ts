// Checks before a launch whether an agent with this trust plan could join the master.
import type { LookupFunction } from 'node:net'
import { rootCertificates } from 'node:tls'
import { type Clock, wallTime } from '../platform/index.ts'
import { codeInfo, type Problem, problem } from '../problems/index.ts'
import { type MasterInfo, readInfo } from './preflight-answer.ts'
import {
  type DialPhase,
  type Dials,
  faultText,
  type JoinProof,
  openDials,
  type PreflightCode,
} from './preflight-dial.ts'
import { type Circumstances, explain, type Investigation, investigate } from './preflight-explain.ts'
import { compareLeaf, describe, endsInRoot, type PresentedCertificate, presentedFacts } from './presented.ts'
import type { MasterAddress, PreflightMode, PreflightProof, TrustPlan } from './trust-plan.ts'

export interface PreflightOrder {
  /** What agents dial. */
  address: MasterAddress
  /** The preflight dials this address instead, such as a public address of the same master. */
  dialAddress?: { host: string; port: number }
  plan: TrustPlan
  /** Milliseconds for the whole preflight. */
  timeoutMs: number
  clock: Clock
  signal?: AbortSignal
  /** PEM of the CAs of `system`, without the plan's own root. Default: those Node ships with, not those of this machine. */
  wellKnown?: readonly string[]
  /** Replaces this machine's resolver. */
  lookup?: LookupFunction
  /** Agents have a client certificate that is not here, so a request that needs it cannot be tried. */
  agentsHaveClientCertificate?: boolean
  /** Which answer proves that agents would join. Default: `master`. */
  proof?: PreflightProof
  /** The pool requires join proofs: the master is dialled as an instance would, with a certificate of the agents' CA. */
  joinProof?: JoinProof
  /** The master gives tasks its certificate file, as Determined's master does; false for the built-in master. */
  givesTasksItsChain?: boolean
}

export interface PreflightResult {
  verdict: Verdict
  /** Why it is not `ok`. */
  problem?: Problem
  /** Faults that do not keep agents from joining. */
  warnings: Problem[]
  dialled: { host: string; port: number }
  /** The name that was verified; undefined when none was. */
  name?: string
  phase: DialPhase
  /** Such as `TLSv1.3`. */
  protocol?: string
  /** What the master sent, in its order. */
  presented: PresentedCertificate[]
  /** Of `GET /info`. */
  httpStatus?: number
  /** Undefined when `/info` was not answered by a master. */
  master?: MasterInfo
}

/** Always resolves with a verdict; rejects only with the signal's reason when aborted. */
export async function preflight(order: PreflightOrder): Promise<PreflightResult> {
  const { address } = order
  const dialled = order.dialAddress ?? { host: address.host, port: address.port }
  if (address.alias && !order.dialAddress) return withoutAddress(dialled)
  const dials = openDials({ ...order, dialled, wellKnown: order.wellKnown ?? rootCertificates })
  try {
    const investigation = await investigate(dials, order)
    order.signal?.throwIfAborted()
    return resultOf(order, dials, investigation)
  } catch (error) {
    order.signal?.throwIfAborted()
    return failed(dials, error)
  } finally {
    dials.close()
  }
}

/** A fault of this program, which proves nothing about the master. */
function failed({ dialled, at }: Dials, error: unknown): PreflightResult {
  const why = error instanceof Error ? faultText(error) : String(error)
  return {
    verdict: 'unverified',
    problem: problem('PREFLIGHT_FAILED', `${at}: the preflight itself failed: ${why}`, { cause: error }),
    warnings: [],
    dialled,
    phase: 'connect',
    presented: [],
  }
}

function resultOf(order: PreflightOrder, dials: Dials, investigation: Investigation): PreflightResult {
  const { plan } = order
  const { code, outcome, upgrade, presented: certificates } = investigation
  const presented = certificates.map(presentedFacts)
  const verified = plan.mode === 'embed' || plan.mode === 'system'
  const decided = upgrade ?? outcome
  const master = outcome.http && readInfo(outcome.http)
  const common = {
    dialled: dials.dialled,
    name: verified ? dials.name : undefined,
    phase: decided.phase,
    protocol: outcome.protocol,
    presented,
    httpStatus: outcome.http?.status,
    master,
  }
  if (!code) return { ...common, verdict: 'ok', warnings: doubtsAbout(presented, order, dials.at) }
  const { message, remedy = refusedProof(code, order) } = explain({
    ...investigation,
    ...order,
    ...dials,
    code,
    outcome: decided,
    ...(upgrade && { asked: "an agent's WebSocket upgrade" }),
    isMaster: master !== undefined,
    presented,
    now: wallTime(order.clock),
  })
  const details = { ...common, reason: decided.fault?.code, upgradeStatus: upgrade?.http?.status }
  const verdict = verdictOf(code, order)
  return { ...common, verdict, problem: problem(code, message, { remedy, details }), warnings: [] }
}

/** The agents have a certificate, but the master does not accept it. */
function refusedProof(code: PreflightCode, { joinProof }: PreflightOrder): string | undefined {
  if (code !== 'PREFLIGHT_CLIENT_CERT_REQUIRED' || !joinProof) return undefined
  return codeInfo('JOIN_CERTIFICATE_REFUSED').remedy
}

/** Faults that will show later, although agents would join now. */
function doubtsAbout(presented: PresentedCertificate[], order: PreflightOrder, at: string): Problem[] {
  const { plan, givesTasksItsChain } = order
  const leaf = presented[0]
  // Only embedded certificates come from the file the master serves, so only they can be compared.
  if (plan.mode !== 'embed' || !leaf) return []
  const doubts: Problem[] = []
  if (compareLeaf(leaf, plan) === 'older')
    doubts.push(
      problem(
        'PREFLIGHT_MASTER_NOT_RESTARTED',
        `${at} still presents ${describe(leaf)}, older than the configured file's`,
      ),
    )
  if (givesTasksItsChain && !endsInRoot(presented))
    doubts.push(
      problem(
        'PREFLIGHT_TASKS_LACK_ROOT',
        `${at} presents ${presented.length} certificate(s), none of them the root`,
      ),
    )
  return doubts
}

function withoutAddress(dialled: { host: string; port: number }): PreflightResult {
  const message = `agents dial \`${dialled.host}\`, which only they can resolve`
  return {
    verdict: 'unverified',
    problem: problem('PREFLIGHT_NO_ADDRESS', message),
    warnings: [],
    dialled,
    phase: 'lookup',
    presented: [],
  }
}

// Whether the verdict of a preflight allows launches.

export interface LaunchPermission {
  /** `probe`: one instance first, more after it has joined. */
  launch: 'yes' | 'probe' | 'no'
  problem?: Problem
}

/** `required` needs the verdict `ok`, `tls` any verdict but `wrong`, `off` none. */
export function applyPreflight(mode: PreflightMode, result: PreflightResult): LaunchPermission {
  if (mode === 'off' || result.verdict === 'ok' || !result.problem) return { launch: 'yes' }
  if (mode === 'required' || result.verdict === 'wrong') return { launch: 'no', problem: result.problem }
  const { code, message, remedy } = result.problem
  const warning = problem('PREFLIGHT_UNVERIFIED', `not verified from here (${code}): ${message}`, {
    remedy: `One instance is launched first as a test. If it does not join: ${remedy}`,
    details: { code },
  })
  return { launch: 'probe', problem: warning }
}

// Which verdict the outcome of a dial gives.

/** `wrong`: agents could not join. `unverified`: not known from here. */
export type Verdict = 'ok' | 'wrong' | 'unverified'

/** The provisioner may run outside the agents' network, and masters restart. */
const notReached: ReadonlySet<PreflightCode> = new Set<PreflightCode>([
  'PREFLIGHT_NO_ADDRESS',
  'PREFLIGHT_DNS_NOT_FOUND',
  'PREFLIGHT_DNS_FAILED',
  'PREFLIGHT_REFUSED',
  'PREFLIGHT_UNREACHABLE',
  'PREFLIGHT_NO_ROUTE',
  'PREFLIGHT_NO_TLS_ANSWER',
  'PREFLIGHT_CLOSED_IN_HANDSHAKE',
  'PREFLIGHT_CLOSED_AFTER_CONNECT',
  'PREFLIGHT_NO_HTTP_ANSWER',
  'PREFLIGHT_UNAVAILABLE',
  'PREFLIGHT_FAILED',
])

/** Under `system` agents also trust the CAs of their VM, which may not be known here. */
const dependsOnAnchors: ReadonlySet<PreflightCode> = new Set<PreflightCode>([
  'PREFLIGHT_UNKNOWN_CA',
  'PREFLIGHT_OTHER_SELF_SIGNED',
  'PREFLIGHT_MISSING_INTERMEDIATE',
  'PREFLIGHT_ROOT_MISSING',
])

/** Under TLS 1.2 a missing client certificate gives the same error as a missing cipher. */
const dependsOnClientCertificate: ReadonlySet<PreflightCode> = new Set<PreflightCode>([
  'PREFLIGHT_CLIENT_CERT_REQUIRED',
  'PREFLIGHT_HANDSHAKE_REFUSED',
])

export function verdictOf(
  code: PreflightCode,
  { plan, agentsHaveClientCertificate }: Circumstances,
): Verdict {
  if (notReached.has(code)) return 'unverified'
  if (plan.mode === 'system' && dependsOnAnchors.has(code)) return 'unverified'
  if (agentsHaveClientCertificate && dependsOnClientCertificate.has(code)) return 'unverified'
  return 'wrong'
}
