// How long the folder of a VM that is gone stays, for its console and so that its intent is known.
import type { VmRecord } from './vm-record.ts'

/** Longer than the 15 minutes within which a launch may be asked for again. */
const keepMs = 3_600_000
const keepLast = 20

/** Ended and taken away more than an hour ago, and not among the last 20 of those. */
export function tooOld(records: VmRecord[], now: number): VmRecord[] {
  const gone = records.flatMap((record) =>
    record.ended && record.terminateAt !== undefined ? [{ record, at: record.ended.at }] : [],
  )
  return gone
    .sort((a, b) => b.at - a.at)
    .slice(keepLast)
    .filter(({ at }) => now - at > keepMs)
    .map(({ record }) => record)
}
