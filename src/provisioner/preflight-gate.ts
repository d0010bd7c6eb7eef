// Whether VMs may be launched now, and with which inputs: the last answer of the preflight and its user data.

import { createHash } from 'node:crypto'
import { mastersOf } from '../agent-setup/index.ts'
import { listOf } from '../config/index.ts'
import type { LaunchInputs } from '../fleet/index.ts'
import { productName } from '../http/index.ts'
import { applyPreflight, type PreflightOrder, type PreflightResult, preflight } from '../pki/index.ts'
import { type Clock, type Logger, limit } from '../platform/index.ts'
import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import type { ReadyPlan } from './prepare.ts'

export interface PreflightGate {
  /** Only reads; dials nothing. */
  launchInputs(): LaunchInputs
  /** Dials now; resolves when the answer is in force. Rejects only once it is stopped. */
  ask(): Promise<void>
  stop(): void
}

/** A certificate of the agents' CA that joins nowhere, and its key; both PEM. */
export interface ProbeCertificate {
  cert: string
  key: string
}

/** What knows how to dial a master that demands certificates. */
export interface JoinProbe {
  probe(): Promise<ProbeCertificate>
}

export interface PreflightGateOptions {
  /** As it is now: a renewed certificate changes it. */
  plan: () => ReadyPlan
  /** Where a pool requires join proofs: the certificate with which a master that demands one is dialled. */
  joins?: JoinProbe | undefined
  clock: Clock
  logger: Logger
}

const againMs = { yes: 60_000, probe: 30_000, no: 10_000 }

/** Repeats the preflight periodically until stopped, more often while the answer is no. */
export function preflightGate({ plan, joins, clock, logger }: PreflightGateOptions): PreflightGate {
  const { pool } = plan()
  const stopping = new AbortController()
  // One dial after the other, so that the answer in force is that of the newest user data.
  const oneByOne = limit(1)
  const pending = problem('PREFLIGHT_PENDING', 'the preflight has not finished yet')
  let answer: Answer = { launch: 'no', problems: [pending] }
  /** SHA-256 of the user data it is about. */
  let answered: string | undefined
  let said = ''

  async function askNow(): Promise<void> {
    try {
      const asked = plan()
      answer = await dial(asked, { joins, clock, signal: stopping.signal })
      answered = asked.userData.sha256
    } catch (error) {
      stopping.signal.throwIfAborted()
      // An unexpected error: nothing is launched because of it, and it is retried like any other answer.
      answer = { launch: 'no', problems: [unforeseen(error)] }
    }
    const words = answer.problems.map(({ code, message }) => `${code} ${message}`).join('\n')
    if (words !== said)
      for (const p of answer.problems)
        logger.warn(p.message, { pool: pool.pool_name, code: p.code, remedy: p.remedy })
    if (said && !words) logger.info('agents can join the master again', { pool: pool.pool_name })
    said = words
  }
  const ask = () => oneByOne(askNow)

  async function keepAsking(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(againMs[answer.launch], stopping.signal)
      await ask()
    }
  }
  keepAsking().catch((error: unknown) => {
    if (!stopping.signal.aborted) logger.error('the preflight failed', { pool: pool.pool_name, error })
  })

  return {
    launchInputs() {
      if (answer.launch === 'no') return { kind: 'refused', problem: answer.problems.at(-1)! }
      const { userData, setup } = plan()
      if (userData.sha256 !== answered) return { kind: 'refused', problem: pending }
      return {
        kind: 'ready',
        userData,
        version: versionOf(pool.provider, setup.master),
        probe: answer.launch === 'probe',
      }
    },
    ask,
    stop: () => stopping.abort(),
  }
}

interface Answer {
  launch: 'yes' | 'probe' | 'no'
  /** The one that blocks launches is last. */
  problems: Problem[]
}

function unforeseen(error: unknown): Problem {
  // Such as of the agents' CA, whose token does not respond: its remedy is the right one.
  if (error instanceof ProvisionError && error.problems[0]) return error.problems[0]
  const why = error instanceof Error ? error.message : String(error)
  return problem('PREFLIGHT_FAILED', `the preflight itself failed: ${why}`, { cause: error })
}

/** Nothing is dialled for a pool with the preflight off. */
async function dial(
  plan: ReadyPlan,
  { joins, clock, signal }: Pick<PreflightGateOptions, 'joins' | 'clock'> & { signal: AbortSignal },
): Promise<Answer> {
  const { preflight: mode } = plan.pool.provider
  if (mode === 'off') return { launch: 'yes', problems: [] }
  const certificate = plan.setup.join ? await joins?.probe() : undefined
  const result = await preflightPool(plan, clock, { signal, certificate })
  const { launch, problem } = applyPreflight(mode, result)
  return { launch, problems: [...result.warnings, ...(problem ? [problem] : [])] }
}

/** Unchanged as long as requests with the same user data would be the same. */
function versionOf(...parts: unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

// The preflight of one pool: dials each master as an agent of the pool would.

/** Milliseconds for everything together. */
export const dialTimeoutMs = 5000

/**
 * Of several addresses one result: agents can join if they can at one of them; the others are among its warnings. Rejects
 * only with the signal's reason. The caller checks whether the preflight of the pool is on. `certificate`: of the agents'
 * CA, for a pool that requires join proofs.
 */
export async function preflightPool(
  { pool, setup, hasClientCertificate }: Pick<ReadyPlan, 'pool' | 'setup' | 'hasClientCertificate'>,
  clock: Clock,
  {
    signal,
    certificate,
  }: { signal?: AbortSignal | undefined; certificate?: ProbeCertificate | undefined } = {},
): Promise<PreflightResult> {
  const dialled = preflightAddresses(pool, setup).map((address) =>
    preflight({
      ...address,
      timeoutMs: dialTimeoutMs,
      clock,
      signal,
      agentsHaveClientCertificate: hasClientCertificate,
      ...(certificate && { joinProof: { pool: pool.pool_name, certificate } }),
      proof: pool.provider.preflight_proof,
    }),
  )
  return together(await Promise.all(dialled))
}

/** For each master: what agents of the pool dial, what is dialled from here instead, and which certificates they trust. */
export function preflightAddresses(
  { provider: { preflight_address } }: ReadyPlan['pool'],
  setup: ReadyPlan['setup'],
): Pick<PreflightOrder, 'address' | 'dialAddress' | 'plan'>[] {
  const instead = preflight_address === undefined ? [] : listOf(preflight_address)
  return mastersOf(setup).map((address, index) => {
    const other = instead[index]
    return { address, dialAddress: other === undefined ? undefined : hostAndPort(other), plan: setup.trust }
  })
}

/** `host:port`, IPv6 in brackets, as the configuration has checked it. */
function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) }
}

/**
 * The result for agents that use whichever master takes them: that of one that does, else of one of which it is not known,
 * else of the first.
 */
function together(results: readonly PreflightResult[]): PreflightResult {
  const works = results.find(({ verdict }) => verdict === 'ok')
  const decides = works ?? results.find(({ verdict }) => verdict === 'unverified') ?? results[0]!
  const others = results.filter((result) => result !== decides)
  const doubts = others.flatMap((other) => [...other.warnings, ...aside(other, works)])
  return { ...decides, warnings: [...decides.warnings, ...doubts] }
}

/** What is wrong with one of several masters, where another one decides. */
function aside(
  { problem: fault, ...result }: PreflightResult,
  works: PreflightResult | undefined,
): Problem[] {
  if (!fault) return []
  const { code, message, remedy } = fault
  const isStandby =
    code === 'PREFLIGHT_UNAVAILABLE' &&
    fault.details?.['upgradeStatus'] === 503 &&
    result.master?.product === productName
  const used = works && `; agents use ${authorityOf(works.dialled)}`
  if (isStandby)
    return [
      problem('PREFLIGHT_STANDBY', `${authorityOf(result.dialled)} stands by${used ?? ''}`, {
        details: { code },
      }),
    ]
  return [problem('PREFLIGHT_OTHER_MASTER', `${message}${used ?? ''}`, { remedy, details: { code } })]
}

function authorityOf({ host, port }: { host: string; port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
