// One policy on one trace, from the first submission until the work is done and the pool has shrunk again.

import { createEnd } from './end.ts'
import { scheduleIncidents } from './incidents.ts'
import type { Violation } from './invariants.ts'
import { createMeter, type Meter } from './meter.ts'
import { mainName } from './names.ts'
import type { StartProvisioner } from './provisioner.ts'
import type { Scenario } from './scenario.ts'
import { createWorld, diskOf, startInWorld, type World } from './world.ts'

export interface TrialOptions {
  start: StartProvisioner
  /** What the policy buys of the pool's offerings. */
  offerings: Scenario['offerings']
  /** Called now and then. */
  onProgress?: (progress: Progress) => void
  /** Aborted: `runTrial` throws its reason. */
  signal?: AbortSignal
}

export interface Progress {
  /** Virtual milliseconds since the beginning. */
  elapsed: number
  finished: number
  submitted: number
}

export interface Trial {
  world: World
  meter: Meter
  /** Virtual time at which it ended. */
  endedAt: number
  violations: readonly Violation[]
  /** Milliseconds during which the provisioner gave each reason for not doing more. */
  held: ReadonlyMap<string, number>
}

const sampleEvery = 30_000
const stepsBetweenLooks = 500
const restartsAfter = 6 * 60_000

export async function runTrial(scenario: Scenario, options: TrialOptions): Promise<Trial> {
  const { start, offerings, onProgress, signal } = options
  const meter = createMeter(
    () => world.clock.now(),
    (id) => world.cloud.vms.get(id)?.endedAt,
  )
  const world = createWorld(scenario, start, {
    isUp: meter.isUp,
    onStart: meter.onStart,
    onEnd(work, how) {
      meter.onEnd(work, how)
      // What is done need not be looked at again.
      if (how === 'done') world.master.work.delete(work.id)
    },
  })
  const { clock, invariants } = world
  // As if it had run before: with nothing on its disk it would look around for a minute first.
  await diskOf(world, mainName).append({ at: clock.now(), kind: 'begun' })
  startInWorld(world, mainName)
  if (scenario.faults.length > 0) scheduleIncidents(world)

  const held = new Map<string, number>()
  const isOver = createEnd(world, meter, offerings)
  const keepUp = createKeeper(world)
  let sampledAt = clock.now()
  await clock.run(() => {
    if (clock.steps % stepsBetweenLooks === 0) {
      if (signal?.aborted) return true
      onProgress?.({
        elapsed: clock.now() - scenario.startsAt,
        finished: meter.finished,
        submitted: scenario.jobs.length,
      })
    }
    if (clock.now() - sampledAt < sampleEvery) return false
    for (const code of holdsOf(world)) held.set(code, (held.get(code) ?? 0) + clock.now() - sampledAt)
    sampledAt = clock.now()
    keepUp()
    invariants.look()
    return isOver()
  })
  for (const { life } of world.provisioners.values()) life.kill()
  signal?.throwIfAborted()
  return { world, meter, endedAt: clock.now(), violations: invariants.violations, held }
}

function holdsOf({ provisioners }: World): Set<string> {
  const main = provisioners.get(mainName)
  return new Set(main?.life.alive ? main.fleet.status().holds.map(({ code }) => code) : [])
}

/** A service manager starts a provisioner that has been dead for longer than any incident keeps it down. */
function createKeeper(world: World): () => void {
  const { clock, provisioners } = world
  let upAt = clock.now()
  return () => {
    if (!provisioners.get(mainName)!.life.alive && clock.now() - upAt > restartsAfter)
      startInWorld(world, mainName)
    if (provisioners.get(mainName)!.life.alive) upAt = clock.now()
  }
}
