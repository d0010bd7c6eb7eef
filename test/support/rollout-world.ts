// A simulated pool of many instances with jobs that come all the time, and a change of what is launched in the middle.

import { startProvisioner } from '../../src/simulator/provisioner.ts'
import { createScenario, type JobPlan, mainName } from '../../src/simulator/scenario.ts'
import { createWorld, diskOf, settingsOf, startInWorld, type World } from '../../src/simulator/world.ts'

const minute = 60_000

interface Pool {
  instances: number
  min: number
  max: number
  /** No instance of the new generation joins. */
  bad?: boolean
  /** Milliseconds after the change. */
  longest: number
}

export interface Story {
  violations: string[]
  /** Instances that are still outdated, and those that are gone. */
  outdated: number
  replaced: number
  /** Ids of outdated instances that were taken out of service. */
  left: string[]
  /** Instances that were launched only for the rollout. */
  forRollout: number
  /** The most that were out of service for it at once, and the fewest that served. */
  mostOut: number
  leastJoined: number
  blocked: string[]
  jobsLost: number
  jobsDone: number
}

/** Half of the instances are busy at any time, for 20 to 50 minutes each. */
function jobsOf({ instances, longest }: Pool, from: number): JobPlan[] {
  const jobs: JobPlan[] = []
  const until = from + Math.min(longest, 6 * 60 * minute)
  const every = (35 * minute) / (0.5 * instances)
  for (let at = from; at < until; at += every) {
    const n = jobs.length
    jobs.push({ id: `job-${n}`, at: Math.round(at), slots: 4, duration: (20 + ((n * 7919) % 31)) * minute })
  }
  return jobs
}

export async function rollOut(pool: Pool): Promise<Story> {
  const base = createScenario('rollout', [])
  const changeAt = base.startsAt + 30 * minute
  const scenario = {
    ...base,
    calmAt: Number.POSITIVE_INFINITY,
    jobs: jobsOf(pool, base.startsAt + 5 * minute),
    offerings: [
      { instanceType: 'm4', zone: 'a', capacityType: 'on_demand' as const, slots: 4, preference: 0 },
    ],
    given: {
      launchError: { timeout: 0, retries: 0 },
      visibility: 180_000,
      boot: { least: 2 * minute, most: 4 * minute },
      placesWithin: 2_000,
      missedWithin: 30_000,
    },
    policy: {
      ...base.policy,
      minInstances: pool.min,
      maxInstances: pool.max,
      maxIdle: 20 * minute,
      bootTimeout: 10 * minute,
      launchRate: 2 * pool.max,
      rollout: {
        when: 'budget' as const,
        maxUnavailable: { percent: 25 },
        surge: { percent: 25 },
      },
    },
  }
  const world: World = createWorld(scenario, startProvisioner)
  await diskOf(world, mainName).append({ at: scenario.startsAt, kind: 'begun' })
  const story: Story = {
    violations: [],
    outdated: 0,
    replaced: 0,
    left: [],
    forRollout: 0,
    mostOut: 0,
    leastJoined: Number.POSITIVE_INFINITY,
    blocked: [],
    jobsLost: 0,
    jobsDone: 0,
  }
  const { timeline } = world
  const add = timeline.add.bind(timeline)
  Object.assign(timeline, {
    add(who: string, what: string, details?: unknown) {
      note(story, what, details)
      add(who, what, details)
    },
  })
  startInWorld(world, mainName)
  const before = new Set<string>()
  const { clock } = world
  clock.at(changeAt, () => {
    for (const { instance, endedAt } of world.cloud.instances.values())
      if (endedAt === undefined) before.add(instance.id)
    if (pool.bad) world.badGenerations.set(2, 'never_joins')
    world.generation = 2
    world.provisioners.get(mainName)!.fleet.reconfigure(settingsOf(world))
  })
  let lookedAt = 0
  let isOver = false
  await clock.run(() => {
    if (clock.now() >= changeAt && clock.now() - lookedAt >= 10_000) {
      lookedAt = clock.now()
      world.invariants.checkNow()
      isOver = look(world, story, before)
    }
    return isOver || world.invariants.violations.length > 0 || clock.now() > changeAt + pool.longest
  })
  const works = [...world.master.work.values()]
  story.jobsLost = works.filter(({ starts }) => starts > 1).length
  story.jobsDone = works.filter(({ state }) => state === 'done').length
  story.violations = world.invariants.violations.map(({ promise, message }) => `${promise}: ${message}`)
  for (const { life } of world.provisioners.values()) life.kill()
  return story
}

/** Returns whether nothing is outdated any more. */
function look(world: World, story: Story, before: ReadonlySet<string>): boolean {
  const { rollout, instances, blocked } = world.provisioners.get(mainName)!.fleet.status()
  const rolled = instances.filter(({ rolledSince, endedAt }) => rolledSince !== undefined && !endedAt)
  for (const { id } of rolled) if (!story.left.includes(id)) story.left.push(id)
  story.mostOut = Math.max(story.mostOut, rolled.filter(({ ending }) => !ending).length)
  const serving = [...world.master.agents.values()].filter(
    ({ connected, draining }) => connected && !draining,
  )
  story.leastJoined = Math.min(story.leastJoined, serving.length)
  story.blocked = blocked.map(({ code }) => code)
  const isUp = (id: string) => world.cloud.instances.get(id)?.endedAt === undefined
  story.outdated = [...before].filter(isUp).length
  story.replaced = before.size - story.outdated
  return story.outdated === 0 && (rollout?.leaving ?? 0) === 0
}

function note(story: Story, what: string, details: unknown): void {
  const { move, reason } = (what === 'decided' ? details : {}) as {
    move?: string
    reason?: { numbers: Record<string, number> }
  }
  if (move === 'launch') story.forRollout += reason?.numbers['forRollout'] ?? 0
}
