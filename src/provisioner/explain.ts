// A kept snapshot, explained: the same words whether a provisioner runs or only its snapshot is there.
import { explain } from '../planner/explain.ts'
import type { Explanation } from '../planner/explanation.ts'
import { readSnapshotFile } from './snapshot-file.ts'

export type { Explanation }

/** `text` is what `snapshotFileOf` made. Throws SNAPSHOT_INVALID; `name` is said to people. */
export function explainSnapshot(text: string, name: string): Explanation {
  const { snapshot, policy, at } = readSnapshotFile(text, name)
  return explain(snapshot, policy, at)
}
