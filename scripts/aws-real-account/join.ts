// Whether an instance of a pool with `join: required` gets its certificate by `aws-sts`: this machine is the provisioner that it asks
// at `join.url`, with a CA for this trial alone, and asks the real STS.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MasterConfig, TlsFiles } from '../../src/config/index.ts'
import { type Listener, listen } from '../../src/http/listen.ts'
import { ensureCa, openAgentsCa } from '../../src/join/issuer.ts'
import type { JoinOutcome } from '../../src/join/reports.ts'
import { joinHandler } from '../../src/join/service.ts'
import { loadTlsCredentials, servedPair } from '../../src/pki/credentials.ts'
import { wallTime } from '../../src/platform/clock.ts'
import { aws } from '../../src/providers/aws/definition.ts'
import { builtInProviders } from '../../src/providers/index.ts'
import { listenAddressOf } from '../../src/provisioner/listeners.ts'
import { isReady, planAll, type ReadyPlan } from '../../src/provisioner/prepare.ts'
import { folderJoin } from '../../src/state/folder/join-files.ts'
import { type Account, eventually, launch, orderOf } from './launches.ts'

const template = join(import.meta.dirname, 'join.sh.hbs')
const kind = 'aws-sts'

export function requiresJoin({ config }: Pick<Account, 'config'>): boolean {
  return config.join.proof === 'required'
}

/** `join.url` must lead to this machine, where no provisioner may use the port meanwhile. */
export async function joined(account: Account, signal: AbortSignal): Promise<string | undefined> {
  const plan = await planOf(account)
  if (typeof plan === 'string') return plan
  const stateDir = mkdtempSync(join(tmpdir(), 'trial-join-'))
  const outcomes: JoinOutcome[] = []
  let listener: Listener | undefined
  try {
    listener = await serve(account, plan, { stateDir, outcomes })
    const order = { ...orderOf(account, 1, [onDemand(account)]), userData: plan.userData }
    const { instances, reasons } = await launch(account, order, signal)
    const [instance] = instances
    if (!instance) return `no VM. ${reasons}`
    return await eventually(account, signal, async () => verdict(outcomes, instance.id, urlOf(plan)))
  } finally {
    await listener?.close(0)
    rmSync(stateDir, { recursive: true, force: true })
  }
}

function onDemand({ offerings }: Account) {
  return { ...offerings[0]!, capacityType: 'on_demand' as const }
}

function verdict(outcomes: readonly JoinOutcome[], id: string, url: string): string | undefined {
  if (outcomes.some((one) => one.outcome === 'issued' && one.id === id)) return undefined
  const last = outcomes.findLast((one) => one.id === id) ?? outcomes.at(-1)
  if (last) return `${outcomes.length} requests, none got a certificate; the last one: ${last.code}`
  return `no request of ${id} arrived at ${url}: see its serial console`
}

/** The pool with the template of this trial, and no proof but the one that is tried. */
async function planOf({ file, config, owner, minutes, context }: Account): Promise<ReadyPlan | string> {
  const provider = {
    ...config,
    join: { ...config.join, proofs: [kind] },
    agent_setup_template: template,
    boot_timeout: minutes * 60_000,
    startup_script: '',
    poweroff_if_never_joined: true,
  }
  const resource_pools = file.resource_pools.map((pool) =>
    pool.pool_name === owner.pool ? { ...pool, provider } : pool,
  )
  const { plans, problems } = await planAll(
    { ...file, resource_pools },
    { pools: [owner.pool], now: wallTime(context.clock), providers: builtInProviders },
  )
  const [plan] = plans
  if (plan && isReady(plan)) return plan
  return [...problems, ...(plan?.problems ?? [])].map(({ code, message }) => `${code} ${message}`).join('; ')
}

function urlOf({ setup }: ReadyPlan): string {
  return setup.join!.url
}

async function serve(
  { file, config, context, owner, ids }: Account,
  plan: ReadyPlan,
  { stateDir, outcomes }: { stateDir: string; outcomes: JoinOutcome[] },
): Promise<Listener> {
  const { clock, logger } = context
  const store = folderJoin(stateDir, () => wallTime(clock))
  const ca = openAgentsCa(store)
  await ensureCa(store, wallTime(clock))
  const verifiers = aws.joinProofs!({ ...config, join: { ...config.join, proofs: [kind] } }, context)
  const url = urlOf(plan)
  const handler = joinHandler({
    ca,
    store,
    poolOf: (name) => (name === owner.pool ? { url, verifiers } : undefined),
    lookup: (id) =>
      ids.has(id)
        ? { id, pool: owner.pool, addresses: [], launchedAt: wallTime(clock), isAlive: true }
        : undefined,
    lifetime: file.agents_ca.lifetime,
    clock,
    logger: { ...logger, info() {}, warn: explained(logger.warn), error: explained(logger.error) },
    onOutcome: (outcome) => outcomes.push(outcome),
  })
  const { address, port, pair } = listenerFor(file, Number(new URL(url).port || 443))
  return listen({
    address,
    port,
    tls: { ...pair, clientCas: { agents: (await ca.current()).bundle } },
    handlers: [handler],
    logger: { ...logger, warn() {} },
  })
}

type Say = (message: string, fields?: Record<string, unknown>) => void

/** A line of the trial has no fields. */
function explained(say: Say): Say {
  return (message, { code, id, why } = {}) => say(`${message}: ${code} ${id ?? ''} ${why ?? ''}`)
}

/** Where the provisioner would listen for what arrives at this port of `join.url`, and its certificate there. */
function listenerFor(file: MasterConfig, urlPort: number) {
  const { listen: own, security, demand, port } = file
  const isOwn = own && (demand.type !== 'built-in' || (urlPort === own.port && urlPort !== port))
  const files: TlsFiles | undefined = (isOwn && own.tls) || security.tls
  if (!files) throw new Error('neither listen.tls nor security.tls is set')
  const { material, problems } = loadTlsCredentials(
    { certFile: files.cert, keyFile: files.key },
    { now: Date.now() },
  )
  if (!material) throw new Error(problems.map(({ message }) => message).join('; '))
  const place = isOwn ? own : { address: listenAddressOf(file, builtInProviders), port }
  return { address: place.address, port: place.port, pair: servedPair(material) }
}
