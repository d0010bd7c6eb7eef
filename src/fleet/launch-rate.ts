// How many VMs were launched within the last hour: the bound that holds whatever demand says.

export interface Launched {
  at: number
  intentId: string
  count: number
}

const hour = 3_600_000

/** Drops what is older than an hour, and sums up the rest. */
export function launchedLastHour(launches: Launched[], now: number): number {
  while (launches[0] && launches[0].at <= now - hour) launches.shift()
  return launches.reduce((sum, { count }) => sum + count, 0)
}

/** Corrects what an intent was counted for when it is known how many VMs it gave. */
export function correctRate(launches: Launched[], intentId: string, count: number): void {
  const entry = launches.find((launch) => launch.intentId === intentId)
  if (entry) entry.count = count
}
