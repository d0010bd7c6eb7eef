// What a master without `provider` accepts and rejects (Determined: rm/resource_pool.go, api_command.go, experiment.go).
import { type Answer, failure, ok } from './answer.ts'
import { type FakeWorld, submit } from './world.ts'

/** Every connected agent counts, enabled or not. */
const slotsOf = (world: FakeWorld, pool: string) =>
  [...world.agents.values()].filter((agent) => agent.pool === pool).map(({ devices = [] }) => devices.length)

/** Commands, notebooks, shells: with slots they must fit one connected agent. No option disables this. */
export function command(
  world: FakeWorld,
  { pool = 'default', slots }: { pool?: string; slots: number },
): Answer {
  const largest = Math.max(0, ...slotsOf(world, pool))
  if (slots > 0 && slots > largest)
    return failure(400, 'request unfulfillable, please try requesting less slots')
  return ok({ command: { id: submit(world, { pool, slots }) } })
}

/** Experiments: they must fit all agents together, unless `launch_error` is false. */
export function experiment(
  world: FakeWorld,
  { pool = 'default', slots, maxSlots }: { pool?: string; slots: number; maxSlots?: number },
): Answer {
  const all = slotsOf(world, pool).reduce((sum, each) => sum + each, 0)
  if (world.launchError && slots > all) return failure(400, 'slots requested exceeds cluster capacity')
  const id = world.experiments.size + 1
  submit(world, { pool, slots, experiment: { id, maxSlots } })
  return ok({ experiment: { id } })
}
