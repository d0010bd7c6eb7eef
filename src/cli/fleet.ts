// Commands for a running provisioner: show what it does, and control it.
import type { Client, Removed } from '../http/index.ts'
import { addressed, type CliCommand, type Flag, type Format, onePoolFlag } from './command.ts'
import { agentLines, instanceLines, listNotes, orphanLines, statusLines } from './fleet-text.ts'
import { type Picture, showPicture } from './table.ts'
import { confirm, type ExitStatus, printJson, type Terminal, usage } from './terminal.ts'

export function declareFleet(program: CliCommand): void {
  status(program)
  instances(program)
  agents(program)
  launch(program)
  drain(program)
  terminate(program)
  pause(program)
  resume(program)
  adopt(program)
}

function status(program: CliCommand): void {
  const command = program.command('status', 'show the pools and what blocks them')
  const { format, connect } = addressed(command)
  view(command, format, connect, async (client) => {
    const { fleetStatus } = await import('../http/index.ts')
    const value = await fleetStatus(client)
    return { lines: await statusLines(value), value }
  })
}

function instances(program: CliCommand): void {
  const command = program.command('instances', 'list the instances')
  const { format, connect } = addressed(command)
  const pool = onePoolFlag(command, 'only this pool')
  const orphans = command.toggle('--orphans', 'instances of the cluster that belong to no configured pool')
  view(command, format, connect, async (client) => {
    if (orphans.value) {
      if (pool.value !== undefined) throw usage('use --orphans or --pool, not both', 'Omit one of them.')
      const { listOrphans } = await import('../http/index.ts')
      const value = await listOrphans(client)
      return { lines: await orphanLines(value, Date.now()), value }
    }
    const { instanceList } = await import('../http/index.ts')
    const value = await instanceList(client, pool.value)
    return { lines: [...(await instanceLines(value.instances, Date.now())), ...listNotes(value)], value }
  })
}

function agents(program: CliCommand): void {
  const command = program.command('agents', 'list the agents with their slots and whether they are busy')
  const { format, connect } = addressed(command)
  const pool = onePoolFlag(command, 'only this pool')
  view(command, format, connect, async (client) => {
    const { agentList } = await import('../http/index.ts')
    const value = await agentList(client, pool.value)
    return { lines: [...(await agentLines(value.agents, Date.now())), ...listNotes(value)], value }
  })
}

/** A command that shows a table; with --watch it repeats. */
function view(
  command: CliCommand,
  format: Flag<Format>,
  connect: () => Promise<Client>,
  look: (client: Client) => Promise<Picture>,
): void {
  const watch = command.toggle('-w, --watch', 'refresh every 2 s')
  command.action(async (context) => {
    const client = await connect()
    return showPicture(() => look(client), format.value, watch.value, context)
  })
}

function launch(program: CliCommand): void {
  const command = program.command(
    'launch',
    'launch instances by hand; they are terminated when idle, like any other',
  )
  const given = command.argument('[count]', 'how many (default: 1); either all or none are launched')
  const { format, connect } = addressed(command)
  const named = onePoolFlag(command, 'the pool (default: the only one)')
  command.action(async ({ terminal }) => {
    const count = countOf(given.value ?? '1')
    const client = await connect()
    const pool = await pickPool(client, named.value)
    const { launchInstances } = await import('../http/index.ts')
    const intent = await launchInstances(client, pool, count)
    if (format.value === 'json') printJson(terminal, { pool, count, intent })
    else {
      terminal.say(`Launching ${count === 1 ? 'an instance' : `${count} instances`} in pool ${pool}.`)
      terminal.say('See `provision instances --watch`. They are removed when idle, like any other.')
    }
    return 0
  })
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text)
  const message = `the number of instances must be an integer from 1 to 99999, not ${JSON.stringify(text)}`
  throw usage(message, 'For example: `provision launch 2 --pool gpu`.')
}

function drain(program: CliCommand): void {
  const command = program.command(
    'drain',
    'give instances no new jobs, and terminate them when they are idle',
  )
  const given = command.rest('<ids...>', 'ids of the instances')
  const { format, connect } = addressed(command)
  const undo = command.toggle('--undo', 'cancel the drain of instances that are not terminated yet')
  const yes = yesFlag(command)
  command.action(async ({ terminal }) => {
    const ids = [...new Set(given.value)]
    const { drainInstances, undrainInstances } = await import('../http/index.ts')
    if (undo.value) {
      const kept = await undrainInstances(await connect(), ids)
      sayRemoved(kept, 'is kept', format.value, terminal)
      const others = ids.filter((id) => !kept.ids.includes(id))
      if (others.length === 0) return 0
      terminal.say(`not draining, or terminated already: ${theseInstances(others)}`)
      return 1
    }
    const question = `Give ${theseInstances(ids)} no new jobs, and terminate ${ids.length === 1 ? 'it' : 'them'} when idle?`
    if (!(await confirm(question, yes.value, terminal))) return 1
    const removed = await drainInstances(await connect(), ids)
    sayRemoved(removed, 'will be terminated when idle', format.value, terminal)
    return 0
  })
}

function terminate(program: CliCommand): void {
  const command = program.command('terminate', 'terminate instances now; busy ones only with --force')
  const given = command.rest('<ids...>', 'ids of the instances')
  const { format, connect } = addressed(command)
  const force = command.toggle('--force', 'also terminate busy instances; their jobs are lost')
  const yes = yesFlag(command)
  command.action(async ({ terminal }) => {
    const ids = [...new Set(given.value)]
    const loss = force.value ? ' Their jobs are lost.' : ''
    if (!(await confirm(`Terminate ${theseInstances(ids)}?${loss}`, yes.value, terminal))) return 1
    const { terminateInstances } = await import('../http/index.ts')
    const removed = await terminateInstances(await connect(), ids, force.value)
    sayRemoved(removed, force.value ? 'is terminated' : 'is drained and terminated', format.value, terminal)
    return 0
  })
}

function yesFlag(command: CliCommand): Flag<boolean> {
  return command.toggle('-y, --yes', 'do not ask for confirmation')
}

/** The instances of a question: the first eight ids. */
function theseInstances(ids: string[]): string {
  const shown = ids.slice(0, 8).join(', ')
  return ids.length > 8 ? `${shown} and ${ids.length - 8} more` : shown
}

/** `what` completes the sentence about one instance, such as `is terminated`. */
function sayRemoved(removed: Removed, what: string, format: Format, terminal: Terminal): void {
  const { ids, waits } = removed
  if (format === 'json') printJson(terminal, removed)
  else for (const id of ids) terminal.say(`${id} ${what}`)
  for (const { pool, code, meaning, remedy } of waits) {
    terminal.say(`pool ${pool} is blocked: ${code} ${meaning}`)
    if (remedy) terminal.say(`  ${remedy}`)
  }
}

function pause(program: CliCommand): void {
  const command = program.command(
    'pause',
    'launch and terminate nothing in these pools until they are resumed, even after a restart',
  )
  forPools(command, async (client, pool) => {
    const { pausePool } = await import('../http/index.ts')
    await pausePool(client, pool)
    return `pool ${pool} is paused: nothing is launched or terminated until \`provision resume\``
  })
}

function resume(program: CliCommand): void {
  const command = program.command('resume', 'resume paused pools')
  forPools(command, async (client, pool) => {
    const { resumePool } = await import('../http/index.ts')
    await resumePool(client, pool)
    return `pool ${pool} is resumed`
  })
}

/** Runs a command on several pools, one after the other. `order` returns the line to print. */
export function forPools(
  command: CliCommand,
  order: (client: Client, pool: string) => Promise<string>,
): void {
  const named = command.rest('[pools...]', 'names of pools (default: the only one)')
  const { format, connect } = addressed(command)
  const all = command.toggle('--all', 'every pool')
  command.action(async ({ terminal }) => {
    const client = await connect()
    const pools = await pickPools(client, named.value, all.value)
    for (const pool of pools) {
      const sentence = await order(client, pool)
      if (format.value === 'text') terminal.say(sentence)
    }
    if (format.value === 'json') printJson(terminal, { pools })
    return 0
  })
}

function adopt(program: CliCommand): void {
  const command = program.command(
    'adopt',
    'take over the instances of a pool that another, stopped provisioner launched',
  )
  const named = command.argument('[pool]', 'name of the pool (default: the only one)')
  const { format, connect } = addressed(command)
  const orphans = command.toggle('--orphans', 'instances that belong to no configured pool')
  const yes = yesFlag(command)
  command.action(async ({ terminal }) => {
    const client = await connect()
    if (orphans.value) {
      if (named.value !== undefined)
        throw usage('name a pool or use --orphans, not both', 'Omit one of them.')
      return adoptAll(client, format.value, yes.value, terminal)
    }
    const { adoptPool, poolStatus } = await import('../http/index.ts')
    const pool = await pickPool(client, named.value)
    const { foreignWriters } = await poolStatus(client, pool)
    if (foreignWriters.length > 0) {
      const others = foreignWriters.map((writer) => writer || '(unnamed)').join(', ')
      const question = `Take over the instances that provisioner ${others} launched in pool ${pool}? That provisioner must be stopped.`
      if (!(await confirm(question, yes.value, terminal))) return 1
    }
    const writers = await adoptPool(client, pool)
    if (format.value === 'json') printJson(terminal, { pool, writers })
    else if (writers.length === 0) terminal.say(`pool ${pool} has no instances of another provisioner`)
    else terminal.say(`this provisioner now manages the instances of pool ${pool}`)
    return 0
  })
}

async function adoptAll(
  client: Client,
  format: Format,
  yes: boolean,
  terminal: Terminal,
): Promise<ExitStatus> {
  const { adoptOrphans, listOrphans } = await import('../http/index.ts')
  const foreign = (await listOrphans(client)).orphans.filter(({ own }) => !own)
  if (foreign.length > 0) {
    const ids = theseInstances(foreign.map(({ id }) => id))
    const question = `Take over ${ids}? No other provisioner may manage them: once idle, they are terminated.`
    if (!(await confirm(question, yes, terminal))) return 1
  }
  const writers = await adoptOrphans(client)
  if (format === 'json') printJson(terminal, { writers })
  else if (writers.length === 0)
    terminal.say('no instances of another provisioner outside the configured pools')
  else
    terminal.say(
      `this provisioner now manages ${foreign.length} more instances: see provision instances --orphans`,
    )
  return 0
}

/** The named pools, all with --all, or the only one. Throws USAGE if that is ambiguous. */
export async function pickPools(client: Client, named: string[], all: boolean): Promise<string[]> {
  if (named.length > 0 && all) throw usage('name pools or use --all, not both', 'Omit one of them.')
  if (named.length > 0) return [...new Set(named)]
  const names = await poolNames(client)
  if (all || names.length === 1) return names
  throw usage(`no pool is named; the pools are: ${names.join(', ')}`, 'Name it, or add --all.')
}

/** The named pool, or the only one. */
async function pickPool(client: Client, named: string | undefined): Promise<string> {
  if (named !== undefined) return named
  const names = await poolNames(client)
  if (names.length === 1) return names[0]!
  throw usage(`no pool is named; the pools are: ${names.join(', ')}`, 'Name it with --pool.')
}

async function poolNames(client: Client): Promise<string[]> {
  const { fleetStatus } = await import('../http/index.ts')
  return (await fleetStatus(client)).pools.map(({ pool }) => pool)
}
