// `provision explain`: the last decisions of a pool and their reasons; from a running provisioner or a saved snapshot.
import { resolve } from 'node:path'
import type { Client } from '../http/index.ts'
import { printable } from '../platform/index.ts'
import { ProvisionError, problem } from '../problems/index.ts'
import type { Explanation } from '../provisioner/index.ts'
import { addressed, type CliCommand } from './command.ts'
import { clockTime, table } from './table.ts'
import { printJson, readInput, usage, writeOutput } from './terminal.ts'

export function declareExplain(program: CliCommand): void {
  const command = program.command(
    'explain',
    'explain the last decisions of pools: demand, instances, capacity, reasons',
  )
  const pools = command.rest('[pools...]', 'names of pools (default: all)')
  const { format, connect } = addressed(command)
  const snapshot = command.text(
    '--snapshot <file>',
    'explain a saved snapshot (- reads standard input) without contacting a provisioner',
  )
  const save = command.text(
    '--save <file>',
    'save the snapshot of a pool, to explain it later or elsewhere (- prints only the snapshot)',
  )
  command.action(async ({ terminal, cwd }) => {
    const { value: file } = snapshot
    const { value: target } = save
    const named = pools.value
    if (file !== undefined && (target !== undefined || named.length > 0))
      throw wrong('--snapshot cannot be combined with names of pools or --save')
    const taken =
      file === undefined
        ? await take(await connect(), named)
        : [{ name: file, text: (await readInput(file, cwd)).toString() }]
    const { explainSnapshot } = await import('../provisioner/index.ts')
    const explanations = taken.map(({ name, text }) => explainSnapshot(text, name))
    if (target !== undefined) {
      if (taken.length !== 1) throw wrong(`--save saves one pool, but ${taken.length} are selected: name one`)
      if (target === '-') {
        terminal.out(taken[0]!.text)
        return 0
      }
      writeOutput(resolve(cwd, target), taken[0]!.text)
      terminal.say(`saved to ${target}; \`provision explain --snapshot ${target}\` explains it again`)
    }
    if (format.value === 'json') printJson(terminal, explanations)
    else {
      const texts = await Promise.all(explanations.map(explanationLines))
      terminal.out(`${texts.map((lines) => lines.map(printable).join('\n')).join('\n\n')}\n`)
    }
    return 0
  })
}

/** The snapshot of each pool's last turn; of all running pools if none is named. */
async function take(client: Client, named: string[]): Promise<{ name: string; text: string }[]> {
  const { fleetStatus, poolStatus } = await import('../http/index.ts')
  const { pools } = await fleetStatus(client)
  const running = pools
    .filter(({ state }) => state !== 'failed' && state !== 'standby')
    .map(({ pool }) => pool)
  return Promise.all(
    (named.length > 0 ? named : running).map(async (name) => {
      const { snapshot } = await poolStatus(client, name)
      if (snapshot) return { name, text: `${JSON.stringify(snapshot)}\n` }
      throw new ProvisionError(problem('SNAPSHOT_MISSING', `pool ${name} has not made a decision yet`))
    }),
  )
}

function wrong(message: string): ProvisionError {
  return usage(message, 'See `provision explain --help`.')
}

type Decision = Explanation['decisions'][number]
type Room = NonNullable<Explanation['room']>[number]

async function explanationLines(explanation: Explanation): Promise<string[]> {
  const { pool, at, demand, instances, room = [], rollout, decisions } = explanation
  return [
    `pool ${pool} at ${clockTime(at)} (${viewWords(explanation.views)})`,
    '',
    ...part('demand', demandWords(demand)),
    ...part(
      'instances',
      instances
        ? instanceWords(instances)
        : ['unknown: the demand or the listing of instances is missing or too old'],
    ),
    ...(rollout ? part('rollout', rolloutWords(rollout)) : []),
    ...part('capacity', room.length > 0 ? await roomRows(room) : ['none']),
    '',
    ...part('decision', decisions.length > 0 ? decisions.flatMap(decisionWords) : ['nothing to do']),
  ]
}

function part(name: string, lines: string[]): string[] {
  return lines.map((line, n) => `${(n === 0 ? name : '').padEnd(9)} ${line}`.trimEnd())
}

function viewWords({ demandAge, listingAge, listingComplete }: Explanation['views']): string {
  const update =
    demandAge === undefined ? 'no demand update yet' : `last demand update ${seconds(demandAge)} ago`
  if (listingAge === undefined) return `${update}, no listing of instances yet`
  return `${update}, last listing ${seconds(listingAge)} ago${listingComplete ? '' : ', the newest listing is incomplete'}`
}

function demandWords({ allocations, slots, aux, sizes }: Explanation['demand']): string[] {
  if (allocations === 0) return ['nothing is waiting']
  const bySize = sizes.map((size) => {
    const fresh = size.fresh === size.allocations ? 'new' : `${size.fresh} new`
    return `${size.allocations} × ${size.slots}${size.fresh > 0 ? ` (${fresh})` : ''}`
  })
  const inSlots = sizes.length > 0 ? [`${count(slots, 'slot')}: ${bySize.join(', ')}`] : []
  const auxiliary = aux > 0 ? [`${aux} auxiliary`] : []
  return [`${count(allocations, 'allocation')}, ${[...inSlots, ...auxiliary].join('; ')}`]
}

const stateWords = [
  ['busy', 'busy'],
  ['idle', 'idle'],
  ['coming', 'starting'],
  ['away', 'disconnected'],
  ['leaving', 'terminating'],
] as const

function instanceWords(counts: NonNullable<Explanation['instances']>): string[] {
  const faults = Object.entries(counts.faulty).map(([code, n]) => `${n} to be removed (${code})`)
  const states = stateWords.flatMap(([state, word]) =>
    counts[state] > 0 ? [`${counts[state]} ${word}`] : [],
  )
  const all = [...states, ...faults]
  const limits = `${counts.live} of at most ${counts.max}, at least ${counts.min}`
  return [
    `${limits}${all.length > 0 ? `: ${all.join(', ')}` : ''}`,
    ...driftWords(counts.drifted),
    ...(counts.inFlight > 0 ? [`${counts.inFlight} more being launched, already counted`] : []),
    ...(counts.foreignAgents > 0
      ? [`${count(counts.foreignAgents, 'agent')} on instances that are not managed here`]
      : []),
  ]
}

function driftWords({ instances, keys }: NonNullable<Explanation['instances']>['drifted']): string[] {
  if (instances === 0) return []
  const byKey = Object.entries(keys)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([key, n]) => `${key} ${n}`)
  return [`${instances} drifted: ${byKey.join(', ')}`]
}

function rolloutWords({ outdated, leaving, waits }: NonNullable<Explanation['rollout']>): string[] {
  const reasons = Object.entries(outdated).map(([code, n]) => `${n} ${code}`)
  return [
    `${reasons.join(', ')}: ${leaving} leaving`,
    ...waits.map(({ code, instances, meaning }) => `${instances} wait, ${code}: ${meaning}`),
  ]
}

const places: Record<Room['where'], string> = {
  free: 'on free agents',
  drained: 'on draining agents, which are enabled again',
  coming: 'on instances that are starting',
  to_buy: 'on instances to launch',
}

function roomRows(room: Room[]): Promise<string[]> {
  return table(
    ['', 'INSTANCES', 'FREE SLOTS', 'USED BY DEMAND'],
    room.map(({ where, instances, slots, filled, filledAux }) => [
      places[where],
      String(instances),
      String(slots),
      filledAux > 0 ? `${filled} and ${filledAux} auxiliary` : String(filled),
    ]),
  )
}

function decisionWords(decision: Decision): string[] {
  const { meaning, remedy, allocations } = decision
  return [
    headOf(decision),
    `  ${meaning}`,
    ...numbersOf(decision),
    ...(allocations.length > 0
      ? [`  allocations: ${allocations.join(', ')}${allocations.length === 10 ? ', …' : ''}`]
      : []),
    ...(remedy ? [`  remedy: ${remedy}`] : []),
  ]
}

function headOf(decision: Decision): string {
  const { kind, code } = decision
  if (kind === 'hold') return `blocked: ${code}`
  if (kind === 'block') return `manual launch blocked: ${code}`
  return `${kind} ${objects(decision)} ${code}`
}

function objects({ kind, count: n, ids, offerings }: Decision): string {
  if (kind === 'launch') return `${count(n, 'instance')}: ${offerings.join(', then ')}`
  return `${ids.slice(0, 10).join(', ')}${ids.length > 10 ? ` and ${ids.length - 10} more` : ''}`
}

function numbersOf({ numbers }: Decision): string[] {
  const words = Object.entries(numbers).map(([name, value]) => `${name} ${numberWord(name, value)}`)
  return words.length > 0 ? [`  ${words.join(', ')}`] : []
}

function numberWord(name: string, value: number): string {
  if (name === 'retryAt') return clockTime(value)
  return name === 'age' ? seconds(value) : String(value)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : 's'}`
}
