// Promise 5: every VM of ours joins or ends within its time, as long as its provisioner can do something about it.
import type { Vm } from './cloud.ts'
import { mainName } from './names.ts'
import { ableSince, isOf } from './seen.ts'
import type { World } from './world.ts'

const minute = 60_000

export interface Neglect {
  /** What a VM is of no use for, and since when somebody could have ended it for that. */
  since: Map<string, { why: string; from: number }>
}

export function createNeglect(): Neglect {
  return { since: new Map() }
}

export function checkOrphans(world: World, { since }: Neglect): void {
  const { cloud, clock, invariants } = world
  const seen = invariants.seen.get(mainName)
  if (!seen || ableSince(world, seen) === undefined) {
    since.clear()
    return
  }
  const now = clock.now()
  for (const vm of cloud.vms.values()) {
    const { id, state } = vm.instance
    const useless = isOf(seen, vm) ? uselessness(world, vm) : undefined
    if (!useless) {
      since.delete(id)
      continue
    }
    let entry = since.get(id)
    if (entry?.why !== useless.why) {
      entry = { why: useless.why, from: now }
      since.set(id, entry)
    }
    if (now - entry.from <= useless.limit) continue
    invariants.violated(
      5,
      `${id} (${state}) is ${useless.why} for ${Math.round((now - entry.from) / 1000)} s`,
    )
    entry.from = Number.POSITIVE_INFINITY
  }
}

/** Why a VM is of no use, and how long it may stay so; undefined: it is of use, or gone. */
function uselessness(
  { master, policy }: World,
  { instance, goneAt }: Vm,
): { why: string; limit: number } | undefined {
  if (goneAt !== undefined || instance.state === 'stopping' || instance.state === 'terminated')
    return undefined
  if (instance.state === 'stopped') return { why: 'stopped', limit: 3 * minute }
  const agent = master.agents.get(instance.id)
  if (agent?.connected) return undefined
  // A VM whose agent was lost is told from one that has not joined yet by the provisioner; allow for the longer.
  return { why: 'unconnected', limit: Math.max(policy.bootTimeout, policy.maxDisconnected) + 3 * minute }
}
