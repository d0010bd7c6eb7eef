// Kills, suspends and stops provisioners that share a PostgreSQL, again and again, while jobs come and go and listings leave
// instances out: no extra instance, no busy one terminated, no job lost, and every pool is led again within seconds.
// npm run kill:leaders -- [--hosts N] [--kills N] [--pools N] [--seed N]

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createRandom } from '../src/simulator/random.ts'
import { postgresCluster } from '../test/support/postgres-cluster.ts'
import { launchedTwice, type SharedHost, sharedCluster } from '../test/support/shared-cluster.ts'
import { bundle } from './bundle.ts'

const { values } = parseArgs({
  options: {
    hosts: { type: 'string', default: '3' },
    kills: { type: 'string', default: '100' },
    pools: { type: 'string', default: '6' },
    seed: { type: 'string' },
  },
})
const [hostCount, kills, poolCount] = [values.hosts, values.kills, values.pools].map(Number) as [
  number,
  number,
  number,
]
const seed = values.seed ?? String(Date.now() % 1_000_000)
const chance = createRandom(seed)

const cache = resolve(import.meta.dirname, '../.cache')
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'kill-leaders-'))
await bundle(folder)
const database = await postgresCluster()
const cluster = await sharedCluster({
  cli: join(folder, 'cli.cjs'),
  url: database.url(),
  schema: 'kill_leaders',
  pools: poolCount,
  most: 4,
  provider: ['max_idle_agent_period: 5s', 'boot_timeout: 60s'],
})
const hosts = Array.from({ length: hostCount }, (_, n) => cluster.host(`host-${n}`))
const violations: string[] = []

// Jobs: each runs for some seconds once it has an agent.

const left = new Map<string, number>()
let made = 0
let isCalm = false
function work(): void {
  // A tenth of the instances is in no listing, other ones each time.
  for (const vm of cluster.ec2.world.vms.values()) vm.unlisted = chance.chance(10)
  if (!isCalm && chance.chance(30) && left.size < poolCount * 3) {
    left.set(cluster.submit(cluster.pools[chance.whole(0, poolCount - 1)]!), chance.whole(2, 12) * 4)
    made++
  }
  for (const [job, ticks] of left) {
    if (!cluster.world.work.has(job)) {
      violations.push(`job ${job} was lost`)
      left.delete(job)
    } else if (cluster.isRunning(job)) {
      if (ticks > 0) left.set(job, ticks - 1)
      else {
        cluster.finish(job)
        left.delete(job)
      }
    }
  }
}
const ticking = setInterval(work, 250)

/** Seconds until a live provisioner leads every pool. */
async function ledAgain(): Promise<number> {
  const from = Date.now()
  for (;;) {
    const up = hosts.filter((host) => host.isUp() && !suspended.has(host))
    const seen = await Promise.all(up.map((host) => host.status().catch(() => undefined)))
    const led = new Set(
      seen.flatMap(
        (status) => status?.pools.filter(({ leader }) => leader?.self).map(({ pool }) => pool) ?? [],
      ),
    )
    if (led.size === poolCount) return (Date.now() - from) / 1000
    if (Date.now() - from > 120_000) {
      violations.push(`after two minutes only ${[...led].join()} were led`)
      return 120
    }
    await sleep(100)
  }
}

const suspended = new Set<SharedHost>()
const took: number[] = []
for (const host of hosts) host.start()
await ledAgain()
const began = Date.now()
for (let n = 0; n < kills; n++) {
  await sleep(chance.whole(0, 3_000))
  const up = hosts.filter((host) => host.isUp())
  const victim = up[chance.whole(0, up.length - 1)]!
  const kind = chance.whole(0, 3)
  if (kind === 0) {
    suspended.add(victim)
    victim.signal('SIGSTOP')
  } else if (kind === 1) await victim.stop()
  else await victim.kill()
  // Elsewhere: what exits on this machine counts as gone at once, what is suspended does not.
  if (hostCount > 1) took.push(await ledAgain())
  if (suspended.delete(victim)) victim.signal('SIGCONT')
  else victim.start()
}

isCalm = true
const until = Date.now() + 180_000
while ((left.size > 0 || cluster.live().length > 0) && Date.now() < until) await sleep(500)
for (const job of left.keys()) violations.push(`job ${job} never ran`)
for (const id of cluster.live()) violations.push(`${id} runs, and there is no work`)
clearInterval(ticking)
violations.push(...cluster.violations, ...launchedTwice(cluster))
took.sort((a, b) => a - b)
const at = (part: number) => took[Math.min(took.length - 1, Math.floor(took.length * part))]?.toFixed(1)
console.log(
  [
    `${kills} kills of ${hostCount} provisioners with ${poolCount} pools in ${Math.round((Date.now() - began) / 1000)} s, seed ${seed}`,
    `${made} jobs, ${cluster.ec2.world.vms.size} instances`,
    `all led again after ${at(0.5)} s (median), ${took.at(-1)?.toFixed(1)} s (worst)`,
    violations.length === 0 ? 'nothing too many, nothing lost' : `${violations.length} violations`,
  ].join('; '),
)
for (const violation of new Set(violations)) console.error(violation)
if (violations.length > 0)
  for (const host of hosts) console.error(`${host.name}\n${host.log().slice(-20_000)}`)
await cluster.dispose()
await database.dispose()
rmSync(folder, { recursive: true, force: true })
process.exitCode = violations.length === 0 ? 0 : 1
