// Tables of pools, instances and agents, and what blocks a pool.
import type {
  AgentView,
  FleetRow,
  FleetStatus,
  InstanceView,
  OrphanView,
  PoolOverview,
  ProblemView,
  ReasonView,
} from '../http/index.ts'
import { printable } from '../platform/index.ts'
import { age, table, tableOf } from './table.ts'
import type { Measure } from './text-width.ts'

const statusHead = ['POOL', 'PROVIDER', 'STATE', 'INSTANCES', 'JOINED', 'MIN', 'MAX', 'WAITING', 'FREE SLOTS']

export async function statusLines(status: FleetStatus): Promise<string[]> {
  const { version, clusterId, demand, startedAt, now, standby, pools, orphans = 0, problems = [] } = status
  const known = problems.map(problemLine)
  const notes = pools.flatMap((pool) =>
    poolNotes(pool)
      // One that concerns everything stands there once.
      .filter(([words]) => !known.includes(words))
      .map(([words, remedy]) => [`${pool.pool}: ${words}`, remedy]),
  )
  return [
    `provisioner ${version}, cluster ${clusterId}, demand ${demand}, up ${age(now - startedAt)}`,
    ...(standby ? [standbyLine(standby)] : []),
    '',
    ...(await statusTable(pools)),
    ...(notes.length + orphans + problems.length > 0 ? [''] : []),
    ...(orphans > 0 ? orphanNote(orphans) : []),
    ...problemLines(problems),
    ...notes.flatMap(([words, remedy]) => [words!, ...(remedy ? [`  ${remedy}`] : [])]),
  ].map(printable)
}

type Standby = NonNullable<FleetStatus['standby']>

function standbyLine({ leader }: Standby): string {
  const who = leader ? `the one on ${leader.host} (process ${leader.pid}) serves` : 'nobody serves'
  return `this provisioner stands by; ${who}`
}

interface Noted {
  standby?: Standby | undefined
  problems?: readonly Pick<ProblemView, 'code' | 'message' | 'remedy'>[] | undefined
}

/** Below a list: who answers, and why something may be old or missing. */
export function listNotes({ standby, problems = [] }: Noted): string[] {
  const lines = [...(standby ? [standbyLine(standby)] : []), ...problemLines(problems)]
  return lines.length > 0 ? ['', ...lines.map(printable)] : []
}

function problemLine({ code, message }: Pick<ProblemView, 'code' | 'message'>): string {
  return `${code} ${message}`
}

function problemLines(problems: NonNullable<Noted['problems']>): string[] {
  return problems.flatMap((found) => [problemLine(found), `  ${found.remedy}`])
}

/** With a column for the leaders where others lead, too. */
function statusTable(pools: PoolOverview[]): Promise<string[]> {
  const isAlone = pools.every(
    ({ leader, state }) => leader?.self ?? (state !== 'standby' && state !== 'unavailable'),
  )
  if (isAlone) return table(statusHead, pools.map(rowOf))
  return table(
    [...statusHead, 'LEADER'],
    pools.map((pool) => [...rowOf(pool), leaderOf(pool)]),
  )
}

function leaderOf({ leader }: PoolOverview): string {
  if (!leader) return 'none'
  return leader.self ? 'this one' : leader.host
}

function orphanNote(count: number): string[] {
  const what =
    count === 1 ? '1 instance of this cluster belongs' : `${count} instances of this cluster belong`
  return [`POOL_GONE ${what} to no configured pool`, '  See: provision instances --orphans']
}

function rowOf(pool: PoolOverview): string[] {
  if (pool.state === 'failed' || pool.state === 'standby')
    return [pool.pool, pool.provider, pool.state, ...Array(6).fill('-')]
  const coming = pool.inFlight > 0 ? `${pool.live}+${pool.inFlight}` : String(pool.live)
  return [
    pool.pool,
    pool.provider,
    // How old the figures are.
    pool.state === 'unavailable' && pool.age !== undefined ? `unavailable, ${age(pool.age)}` : pool.state,
    coming,
    String(pool.joined),
    String(pool.minInstances),
    String(pool.maxInstances),
    String(pool.pending),
    `${pool.freeSlots} of ${pool.slots}`,
  ]
}

/** Each with its remedy. A problem that is the cause of a blocked reason is not listed a second time. */
function poolNotes(pool: PoolOverview): [words: string, remedy: string | undefined][] {
  const blocked = 'blocked' in pool ? pool.blocked : []
  const behind = new Set(blocked.flatMap(({ problem }) => (problem ? [problem.code] : [])))
  const rest = pool.problems.filter(({ code }) => !behind.has(code))
  return [
    ...blocked.map(blockedNote),
    ...rest.map(({ code, message, remedy }): [string, string] => [`${code} ${message}`, remedy]),
  ]
}

function blockedNote(reason: ReasonView): [string, string | undefined] {
  const [words, remedy] = reasonNote(reason)
  return [`blocked: ${words}`, remedy]
}

/** The reason in one line, with what can be done about it. */
export function reasonNote({
  code,
  meaning,
  remedy,
  numbers,
  problem,
}: Pick<ReasonView, 'code' | 'meaning' | 'remedy' | 'numbers' | 'problem'>): [string, string | undefined] {
  // The message of a problem of the same code is more exact than the meaning of the code.
  if (problem?.code === code) return [`${code} ${problem.message}`, problem.remedy]
  const because = problem ? ` ${problem.code} ${problem.message}` : ''
  const counted = Object.entries(numbers)
    .filter(([name]) => !/At$/.test(name))
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
  return [`${code} ${meaning}${counted && ` (${counted})`}${because}`, problem?.remedy ?? remedy]
}

const orphanHead = ['POOL', 'INSTANCE', 'LOCATION', 'STATE', 'TYPE', 'ZONE', 'AGE', 'WRITER', 'NOTE']

const orphanNotes: Record<OrphanView['next'], string> = {
  drain: 'is draining',
  terminate: 'is terminated',
  foreign: 'managed by another provisioner',
  never: 'kept: orphans.terminate_after is never',
  grace: 'terminated after orphans.terminate_after, once idle',
  unknown: 'kept: the master does not report whether it is idle',
  busy: 'kept until it is idle',
}

/** @param now milliseconds since the epoch */
export async function orphanLines(
  {
    orphans,
    problems,
  }: {
    orphans: readonly OrphanView[]
    problems: NonNullable<Noted['problems']>
  },
  now: number,
): Promise<string[]> {
  const notes = problemLines(problems).map(printable)
  if (orphans.length === 0) return ['no instances outside the configured pools', ...notes]
  const rows = orphans.map((orphan) => [
    orphan.pool,
    orphan.id,
    orphan.location,
    orphan.state,
    orphan.instanceType,
    orphan.zone,
    age(now - orphan.launchedAt),
    orphan.own ? 'this one' : (orphan.writer ?? 'unknown'),
    orphanNotes[orphan.next],
  ])
  return [...(await table(orphanHead, rows)), ...(notes.length > 0 ? ['', ...notes] : [])]
}

const instanceHead = [
  'POOL',
  'INSTANCE',
  'STATE',
  'AGENT',
  'SLOTS',
  'TYPE',
  'ZONE',
  'CAPACITY',
  'AGE',
  'DRIFTED',
  'NOTE',
]
const agentHead = ['POOL', 'AGENT', 'STATE', 'FREE SLOTS', 'ACTIVITY', 'TLS', 'CERTIFICATE NAME', 'NOTE']

/** @param now milliseconds since the epoch */
export async function instanceLines(instances: InstanceView[], now: number): Promise<string[]> {
  if (instances.length === 0) return ['no instances']
  return table(
    instanceHead,
    instances.map((vm) => [
      vm.pool,
      vm.id,
      vm.state,
      // Whether it joined no longer matters.
      vm.doing === 'ending' ? '-' : vm.agent,
      vm.slots === undefined ? '-' : String(vm.slots),
      vm.instanceType,
      vm.zone || '-',
      vm.capacityType.replace('_', '-'),
      age(now - vm.launchedAt),
      vm.drifted?.join(', ') ?? '-',
      [vm.doing && doings[vm.doing], vm.stateReason].filter(Boolean).join('; '),
    ]),
  )
}

const doings = {
  ending: 'terminating',
  draining: 'draining, terminated when idle',
  ordered: 'to be removed',
} as const

/** @param now milliseconds since the epoch */
export async function agentLines(agents: AgentView[], now: number): Promise<string[]> {
  if (agents.length === 0) return ['no agents']
  return table(
    agentHead,
    agents.map((agent) => [
      agent.pool,
      agent.id,
      agent.state,
      `${agent.freeSlots} of ${agent.slots}`,
      agent.unknownContainers ? 'busy (unknown jobs)' : agent.busy ? 'busy' : idle(agent, now),
      agent.tlsVersion ?? '-',
      agent.certificateName ?? '-',
      agentNote(agent),
    ]),
  )
}

function idle({ idleSince }: AgentView, now: number): string {
  return idleSince === undefined ? 'idle' : `idle ${age(now - idleSince)}`
}

function agentNote({ draining, enabled, managed }: AgentView): string {
  const service = draining ? 'draining' : enabled ? '' : 'disabled'
  return [service, managed ? '' : 'not on an instance of this provisioner'].filter(Boolean).join('; ')
}

const liveHead = ['POOL', 'INSTANCE', 'STATE', 'AGENT', 'SLOTS', 'TLS', 'CERTIFICATE NAME', 'AGE']

/**
 * The live table of the running daemon: a row for each instance.
 * @param now milliseconds since the epoch
 */
export function liveView(rows: FleetRow[], now: number, measure: Measure): string[] {
  if (rows.length === 0) return ['(no instances yet)']
  const cells = rows.map((row) => [
    row.pool,
    row.instance,
    row.state,
    row.agent,
    row.slots === undefined ? '-' : String(row.slots),
    row.tlsVersion ?? '-',
    row.certificateName ?? '-',
    age(now - row.launchedAt),
  ])
  return tableOf(liveHead, cells, measure)
}
