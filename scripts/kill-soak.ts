// Kills the master and its agents at random moments under load, for minutes: no job may be lost, none run twice.
// npm run kill:soak -- [--seconds N] [--seed N]; exits with 1 on a violation and keeps the files needed to examine it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/platform/clock.ts'
import { createRandom } from '../src/simulator/random.ts'
import { bundle } from './bundle.ts'
import { type SoakCluster, startCluster } from './kill-soak/cluster.ts'
import { createLoad, type Load } from './kill-soak/load.ts'
import { type Evidence, judge } from './kill-soak/verdict.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } })
const seconds = wholeNumber('seconds', values.seconds ?? '120')
const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000))
/** Makes the random choices; their effect depends on the speed of the machine. */
const chance = createRandom(String(seed))
const agentNames = ['agent-a', 'agent-b', 'agent-c', 'agent-d']
/** Seconds in which everything must finish after the last kill. */
const timeoutSeconds = 90

const cache = resolve(import.meta.dirname, '../.cache')
mkdirSync(cache, { recursive: true })
// Below the repository, where node_modules is found.
const built = mkdtempSync(join(cache, 'soak-'))
process.on('exit', () => rmSync(built, { recursive: true, force: true }))
await bundle(built)
process.exitCode = await soak(join(built, 'cli.cjs'))

async function soak(cli: string): Promise<0 | 1> {
  const cluster = await startCluster(cli, agentNames)
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void cluster.close(false).finally(() => process.exit(130)))
  let clean = false
  try {
    const load = createLoad(cluster.client, join(cluster.folder, 'traces'), chance.fork('load'))
    await runLoad(cluster, load)
    const evidence = evidenceOf(cluster, load)
    const { violations, ...counts } = judge(evidence)
    clean = violations.length === 0
    console.log(summary(cluster, evidence, counts))
    for (const violation of violations) console.error(violation)
    if (!clean) writeFileSync(join(cluster.folder, 'finals.json'), JSON.stringify([...load.finals.values()]))
    return clean ? 0 : 1
  } finally {
    if (!clean)
      console.error(`look into ${cluster.folder}: logs, the journal, what ran (traces), and how it ended`)
    await cluster.close(!clean)
  }
}

async function runLoad(cluster: SoakCluster, load: Load): Promise<void> {
  const done = new AbortController()
  await Promise.all([watch(load, done.signal), drive(cluster, load).finally(() => done.abort())])
  // Once more, without any activity: finished jobs must not change.
  await load.look()
}

async function watch(load: Load, done: AbortSignal): Promise<void> {
  while (!done.aborted) {
    await load.look()
    await systemClock.sleep(250)
  }
}

async function drive(cluster: SoakCluster, load: Load): Promise<void> {
  const over = AbortSignal.timeout(seconds * 1000)
  const giveUp = AbortSignal.timeout((seconds + timeoutSeconds) * 1000)
  await Promise.all([load.submit(over, giveUp), strikeUntil(over, cluster)])
  while (load.finals.size < load.accepted.size && !giveUp.aborted) await systemClock.sleep(250)
}

async function strikeUntil(over: AbortSignal, { master, agents }: SoakCluster): Promise<void> {
  const random = chance.fork('kills')
  const choices = [
    () => [master],
    () => [random.pick(agents)],
    () => [random.pick(agents)],
    () => [master, ...agents.filter(() => random.chance(40))],
    () => agents,
  ]
  for (;;) {
    await systemClock.sleep(random.whole(100, 1500), over).catch(() => {})
    if (over.aborted) return
    const targets = random.pick(choices)()
    await Promise.all(targets.map((one) => one.strike(random.whole(0, 1000))))
  }
}

function evidenceOf({ master, agents }: SoakCluster, load: Load): Evidence {
  return {
    ...load,
    traces: load.traces(),
    kills: new Map(agents.map(({ name, kills }) => [name, kills])),
    masterEnds: master.ownEnds,
  }
}

function summary(
  { master, agents }: SoakCluster,
  { accepted }: Evidence,
  counts: Omit<ReturnType<typeof judge>, 'violations'>,
): string {
  const agentKills = agents.reduce((sum, { kills }) => sum + kills.length, 0)
  return [
    `seed ${seed}: ${seconds} s, killed the master ${master.kills.length} and agents ${agentKills} times;`,
    `work accepted ${accepted.size}, finished ${counts.finished}, failed ${counts.failed}, lost ${counts.lost};`,
    `ran twice ${counts.ranTwice}, missing ${counts.missing}`,
  ].join(' ')
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  console.error(`--${name} must be an integer, not ${text}`)
  process.exit(2)
}
