// What a policy did with a trace, in the numbers people compare. Pure: from spans of VMs and waits to sums.
import type { MisfitCode } from './fit.ts'
import type { Use } from './meter.ts'

/** A VM as it was paid for. Milliseconds since the epoch. */
export interface VmSpan {
  id: string
  instanceType: string
  slots: number
  from: number
  to: number
}

export interface Waits {
  p50: number
  p95: number
  max: number
}

/** Keys are part of the JSON output: docs/simulate.md. */
export interface Outcome {
  vms: { launched: number; peak: number }
  work: {
    submitted: number
    finished: number
    /** Starts that came to nothing because the VM was lost. */
    lost: number
    /** Work that can never run in this pool, in groups of one size and reason. */
    neverFits: { code: MisfitCode; slots: number; count: number; ids: string[] }[]
    /** Work that could run and had not finished when the simulation ended. */
    unfinished: { count: number; ids: string[] }
  }
  /** Seconds from submission to the first start, of work that started; null when none did. */
  waitSeconds: Waits | null
  instanceHours: number
  /** Part of the instance-hours in which a VM had no work at all, its boot included; null without VMs. */
  idleShare: number | null
  /** Part of the slots paid for that work held; null without slots. */
  slotUse: number | null
  /** Null when `prices` names none of the types launched. */
  cost: { dollars: number; unpriced: { instanceType: string; instanceHours: number }[] } | null
  /** Seconds from the first submission until work was done and idle VMs were gone. */
  lastedSeconds: number
}

const msPerHour = 3_600_000

export function costOf(vms: readonly VmSpan[], prices: Readonly<Record<string, number>>): Outcome['cost'] {
  const hours = new Map<string, number>()
  for (const vm of vms) hours.set(vm.instanceType, (hours.get(vm.instanceType) ?? 0) + hoursOf(vm))
  let dollars = 0
  const unpriced: { instanceType: string; instanceHours: number }[] = []
  for (const [instanceType, instanceHours] of hours) {
    const price = prices[instanceType]
    if (price === undefined) unpriced.push({ instanceType, instanceHours: rounded(instanceHours) })
    else dollars += price * instanceHours
  }
  const nothingKnown = Object.keys(prices).length === 0 || (hours.size > 0 && unpriced.length === hours.size)
  return nothingKnown ? null : { dollars: rounded(dollars), unpriced }
}

/** Instance-hours and the shares of them that did something. */
export function useOf(
  vms: readonly VmSpan[],
  uses: ReadonlyMap<string, Use>,
): Pick<Outcome, 'instanceHours' | 'idleShare' | 'slotUse'> {
  let [time, busy, slotTime, slotTimeUsed] = [0, 0, 0, 0]
  for (const vm of vms) {
    const use = uses.get(vm.id)
    time += vm.to - vm.from
    slotTime += vm.slots * (vm.to - vm.from)
    busy += use?.busy ?? 0
    slotTimeUsed += use?.slotTime ?? 0
  }
  return {
    instanceHours: rounded(time / msPerHour),
    idleShare: time > 0 ? rounded(1 - busy / time) : null,
    slotUse: slotTime > 0 ? rounded(slotTimeUsed / slotTime) : null,
  }
}

/** Most VMs at one moment. One that ends when another begins is not counted with it. */
export function peakOf(vms: readonly VmSpan[]): number {
  const changes = vms.flatMap(({ from, to }) => [
    { at: from, by: 1 },
    { at: to, by: -1 },
  ])
  changes.sort((a, b) => a.at - b.at || a.by - b.by)
  let [count, peak] = [0, 0]
  for (const { by } of changes) {
    count += by
    peak = Math.max(peak, count)
  }
  return peak
}

/** Percentiles by nearest rank: the least wait that so many of a hundred do not exceed. */
export function waitsOf(waits: readonly number[]): Waits | null {
  if (waits.length === 0) return null
  const sorted = [...waits].sort((a, b) => a - b)
  const rank = (percent: number) => sorted[Math.ceil((percent / 100) * sorted.length) - 1]! / 1000
  return { p50: rounded(rank(50)), p95: rounded(rank(95)), max: rounded(rank(100)) }
}

function hoursOf({ from, to }: VmSpan): number {
  return (to - from) / msPerHour
}

/** Three places: more would only look exact. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
