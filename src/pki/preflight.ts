// Proof, before launching, that an agent with this trust plan would be able to join.
import type { LookupFunction } from 'node:net'
import { rootCertificates } from 'node:tls'
import type { Clock } from '../platform/ports.ts'
import { type Problem, problem } from '../problems/problem.ts'
import { type Dials, openDials } from './dials.ts'
import { type MasterInfo, readInfo } from './info.ts'
import { type Investigation, investigate } from './investigate.ts'
import { isHostAlias, type MasterAddress } from './master-address.ts'
import type { DialPhase } from './preflight-dial.ts'
import { describe, explain } from './preflight-explain.ts'
import { compareLeaf, endsInRoot, type PresentedCertificate, presentedFacts } from './presented.ts'
import type { TrustPlan } from './trust-plan.ts'
import { type Verdict, verdictOf } from './verdict.ts'

export interface PreflightOrder {
  /** What agents dial. */
  address: MasterAddress
  /** Dialled from here instead, such as a public address of the same master. */
  dialAddress?: { host: string; port: number }
  plan: TrustPlan
  /** Milliseconds, for everything together. */
  timeoutMs: number
  clock: Clock
  signal?: AbortSignal
  /** PEM of the CAs that `system` stands for; by default those Node ships with, whatever this machine adds to them. */
  wellKnown?: readonly string[]
  /** Instead of this machine's resolver. */
  lookup?: LookupFunction
  /** Agents hold a client certificate that is not here, so what it opens cannot be tried. */
  agentsHaveClientCertificate?: boolean
  /** The master gives tasks the file it serves with, as Determined's does; false for the built-in one. */
  givesTasksItsChain?: boolean
}

export interface PreflightResult {
  verdict: Verdict
  /** Why it is not `ok`. */
  problem?: Problem
  /** What is not as it should be, though agents would join. */
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
  /** Undefined when `/info` is not the answer of a master. */
  master?: MasterInfo
}

/** Always resolves with a verdict; rejects only with the signal's reason when aborted. */
export async function preflight(order: PreflightOrder): Promise<PreflightResult> {
  const { address, plan } = order
  const dialled = order.dialAddress ?? { host: address.host, port: address.port }
  if (isHostAlias(dialled.host)) return withoutAddress(dialled)
  const dials = openDials({ ...order, dialled, wellKnown: order.wellKnown ?? rootCertificates })
  try {
    const investigation = await investigate(dials, plan)
    order.signal?.throwIfAborted()
    return resultOf(order, dials, investigation)
  } finally {
    dials.close()
  }
}

function resultOf(order: PreflightOrder, dials: Dials, investigation: Investigation): PreflightResult {
  const { plan } = order
  const { code, outcome, presented: certificates } = investigation
  const presented = certificates.map(presentedFacts)
  const verified = plan.mode === 'embed' || plan.mode === 'system'
  const common = {
    dialled: dials.dialled,
    name: verified ? dials.name : undefined,
    phase: outcome.phase,
    protocol: outcome.protocol,
    presented,
    httpStatus: outcome.http?.status,
  }
  if (code) {
    const { message, remedy } = explain({
      ...investigation,
      ...order,
      ...dials,
      code,
      presented,
      now: order.clock.now(),
    })
    const details = { ...common, reason: outcome.fault?.code }
    const verdict = verdictOf(code, order)
    return { ...common, verdict, problem: problem(code, message, { remedy, details }), warnings: [] }
  }
  const master = readInfo(outcome.http!)
  const warnings = doubtsAbout(presented, order, dials.at)
  if (!master)
    warnings.push(
      problem(
        'PREFLIGHT_NOT_A_MASTER',
        `${dials.at}/info answered with status ${outcome.http!.status} and is not a master's`,
      ),
    )
  return { ...common, verdict: 'ok', warnings, master }
}

/** What will go wrong later, though agents would join now. */
function doubtsAbout(presented: PresentedCertificate[], order: PreflightOrder, at: string): Problem[] {
  const { plan, givesTasksItsChain } = order
  const leaf = presented[0]
  // Only what we embed comes from the file the master serves; only then can it be compared.
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
  const message = `agents dial \`${dialled.host}\`, which only they can look up`
  return {
    verdict: 'unverified',
    problem: problem('PREFLIGHT_NO_ADDRESS', message),
    warnings: [],
    dialled,
    phase: 'lookup',
    presented: [],
  }
}
