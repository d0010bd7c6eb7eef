// Kills the master and its agents at random moments under load, for minutes: no work may be lost, none run twice.
// npm run kill:soak -- [--seconds N] [--seed N]; exits with 1 on a violation and keeps what is needed to look into it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/platform/clock.ts'
import { bundle } from './bundle.ts'
import { type SoakCluster, startCluster } from './kill-soak/cluster.ts'
import { createLoad, type Load } from './kill-soak/load.ts'
import { type Random, seededRandom } from './kill-soak/random.ts'
import { type Evidence, judge } from './kill-soak/verdict.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } })
const seconds = wholeNumber('seconds', values.seconds ?? '120')
const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000))
const agentNames = ['agent-a', 'agent-b', 'agent-c', 'agent-d']
/** Seconds in which everything must come to its end once the killing is over. */
const patience = 90

const cache = resolve(import.meta.dirname, '../.cache')
mkdirSync(cache, { recursive: true })
// Below the repository, where node_modules is found.
const built = mkdtempSync(join(cache, 'soak-'))
try {
  await bundle(built)
  process.exitCode = await soak(join(built, 'cli.cjs'))
} finally {
  rmSync(built, { recursive: true, force: true })
}

async function soak(cli: string): Promise<0 | 1> {
  const cluster = await startCluster(cli, agentNames)
  let clean = false
  try {
    const load = createLoad(cluster.client, join(cluster.folder, 'traces'), seededRandom(seed))
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
  const over = AbortSignal.timeout(seconds * 1000)
  const done = new AbortController()
  const watching = (async () => {
    while (!done.signal.aborted) {
      await load.look()
      await systemClock.sleep(250)
    }
  })()
  // Its own sequence: when the load is handed in must not change who is killed next.
  await Promise.all([load.submit(over), strikeUntil(over, cluster, seededRandom(seed + 1))])
  const deadline = Date.now() + patience * 1000
  while (load.finals.size < load.accepted.size && Date.now() < deadline) await systemClock.sleep(250)
  // Once more, with nothing going on: what is over has to stay as it is.
  await systemClock.sleep(1000)
  await load.look()
  done.abort()
  await watching
}

async function strikeUntil(
  over: AbortSignal,
  { master, agents }: SoakCluster,
  random: Random,
): Promise<void> {
  for (;;) {
    await systemClock.sleep(random.between(100, 1500), over).catch(() => {})
    if (over.aborted) return
    const some = agents.filter(() => random.chance(0.4))
    const kind = random.between(0, 1)
    const targets =
      kind < 0.25 ? [master] : kind < 0.7 ? [random.one(agents as [typeof master])] : [master, ...some]
    await Promise.all((kind > 0.9 ? agents : targets).map((one) => one.strike(random.between(0, 1000))))
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
  console.error(`--${name} must be a whole number, not ${text}`)
  process.exit(2)
}
