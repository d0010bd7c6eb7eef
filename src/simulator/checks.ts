// Promises about launches: 1, 4, 7, 8, 10, 11.
import { refusalGrowth } from '../fleet/backoff.ts'
import type { Refusal } from '../fleet/offering-memory.ts'
import { offeringKey } from '../planner/instance.ts'
import type { JournalRecord } from '../platform/ports.ts'
import type { LaunchOrder, LaunchResult } from '../providers/launch.ts'
import type { Vm } from './cloud.ts'
import { isMet } from './met.ts'
import type { Seen } from './seen.ts'
import { userDataOf, type World } from './world.ts'

const hour = 3_600_000
const callsPerHour = 10
/** A launch decided just before the gate closed is on its way. */
const onItsWay = 1_000
const listedWithin = 15_000

export function checkLaunchCall(world: World, seen: Seen, { intent, userData }: LaunchOrder): void {
  const { clock, invariants, policy, gateClosedAt, certificate } = world
  const now = clock.now()
  const { id, count } = intent
  const before = seen.sent.get(id)
  if (!seen.written.has(id)) invariants.violated(4, `${id} is sent and not written down`)
  if (gateClosedAt !== undefined && now - gateClosedAt > onItsWay)
    invariants.violated(7, `${id} is launched while the preflight fails`)
  if (!before && userData.sha256 !== userDataOf(certificate).sha256)
    invariants.violated(11, `${id} carries ${userData.sha256}`)
  if (before && before.sha256 !== userData.sha256) invariants.violated(11, `${id} carries something else now`)
  seen.launches++
  if (!before && !isNeeded(world, seen))
    invariants.violated(8, `${id} launches ${count} and nothing is wanted`)
  if (seen.stoppingAt !== undefined && !before) invariants.violated(8, `${id} is decided while it stops`)
  const max = Math.max(before?.max ?? 0, policy.maxInstances)
  const adopted = new Set(seen.adopted)
  seen.sent.set(id, { max, count, sha256: userData.sha256, made: before?.made ?? 0, adopted })
}

/** Work waits that has no room, or fewer VMs than min are there that may be of use. */
function isNeeded(world: World, seen: Seen): boolean {
  const { provisioners, policy, master, invariants } = world
  const { name, demand } = seen
  if (!demand || !isMet(world, seen, demand)) return true
  if (policy.minInstances === 0) return false
  const { instances } = provisioners.get(name)!.fleet.status()
  const sound = instances.filter((i) => (i.state === 'running' || i.state === 'starting') && !i.ending)
  const isDoubtful = (id: string) => {
    const agent = master.agents.get(id)
    return !agent?.connected || agent.draining || seen.reasons.has(id) || invariants.orders.has(id)
  }
  return sound.filter(({ id }) => !isDoubtful(id)).length < policy.minInstances
}

/** Refusals of an offering within the hour, since a call last brought none of it. */
export function checkLaunchResult(
  { clock, invariants }: World,
  seen: Seen,
  { intent }: LaunchOrder,
  { failures }: LaunchResult,
): void {
  const now = clock.now()
  const whole = failures.some(({ offering }) => offering === undefined)
  const refused = new Set(failures.flatMap(({ offering }) => (offering ? [offeringKey(offering)] : [])))
  for (const key of intent.offerings.map(offeringKey)) {
    if (!whole && !refused.has(key)) {
      seen.refusals.delete(key)
      continue
    }
    const recent = (seen.refusals.get(key) ?? []).filter((at) => at > now - hour)
    recent.push(now)
    seen.refusals.set(key, recent)
    // What a crash forgets may be asked once more.
    const forgotten = seen.starts.filter((at) => at > now - hour).length - 1
    if (recent.length > callsPerHour + forgotten)
      invariants.violated(10, `${key} was asked for and refused ${recent.length} times within the hour`)
  }
}

/** What another writer launched counts when it was adopted before the launch was sent, and listings show it. */
function isKnowable(
  name: string,
  adopted: ReadonlySet<string>,
  { instance, visibleAt }: Vm,
  now: number,
): boolean {
  const { writerId = '' } = instance
  return writerId === name || (adopted.has(writerId) && visibleAt + listedWithin < now)
}

export function checkCreated(world: World, seen: Seen, { instance }: Vm): void {
  const { cloud, clock, invariants, policy } = world
  const sent = seen.sent.get(instance.intentId!)
  if (!sent) {
    invariants.violated(4, `${instance.id} comes from an intent nobody sent`)
    return
  }
  // A crash may forget a minute of what the breaker has learned.
  const inVain = 3 * sent.max + 12 + 3 * seen.starts.length
  if (++seen.uselessMade > inVain)
    invariants.violated(10, `${seen.uselessMade} VMs in a row were launched in vain`)
  if (++sent.made > sent.count)
    invariants.violated(4, `${instance.intentId} gave more than ${sent.count} VMs`)
  const now = clock.now()
  const counts = (vm: Vm) => vm.endedAt === undefined && isKnowable(seen.name, sent.adopted, vm, now)
  const live = [...cloud.vms.values()].filter(counts).length
  // It was sent under the limit of that time; others may have been sent under a higher one since.
  const max = Math.max(sent.max, policy.maxInstances)
  if (live > max) invariants.violated(1, `${live} VMs live, max_instances is ${max}`)
}

export function checkWritten({ invariants }: World, seen: Seen, record: JournalRecord): void {
  if (record.kind === 'intent') {
    const { id } = record['intent'] as { id: string }
    if (seen.written.has(id)) invariants.violated(4, `the token of ${id} is used for another launch`)
    seen.written.add(id)
  }
  if (record.kind === 'adopted') for (const writer of record['writers'] as string[]) seen.adopted.add(writer)
  if (record.kind === 'refused') checkSpread(invariants, seen, record)
}

/** A refusal remembered for exactly its grown time was not spread by chance. Once may be chance. */
function checkSpread(invariants: World['invariants'], seen: Seen, record: JournalRecord): void {
  for (const [key, { class: failureClass, failures, until }] of record['offerings'] as [string, Refusal][]) {
    const { first, most } = refusalGrowth[failureClass]
    if (until - record.at !== Math.min(most, first * 2 ** (failures - 1))) continue
    if (++seen.unspread > 1) invariants.violated(10, `the wait for ${key} is not spread`)
  }
}
