// The notes about the cluster in a file of the state folder, which one process has at a time.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { syncFolderOf, writeFileAtomic } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import {
  type ClusterNotes,
  clusterNotes,
  type StoredCluster,
  withAdopted,
  withDrained,
  withLocation,
  withoutDrained,
} from '../cluster.ts'

export const clusterFile = 'locations.json'

export function folderCluster(stateDir: string): StoredCluster {
  const file = join(stateDir, clusterFile)

  function read(): ClusterNotes {
    return readClusterFile(stateDir)?.notes ?? { locations: [], adopted: [], drained: [] }
  }

  /** Reading and writing are one step: nothing else of this process runs in between. */
  async function change(by: (notes: ClusterNotes) => ClusterNotes): Promise<void> {
    const before = read()
    const { locations, adopted, drained } = by(before)
    if (locations === before.locations && adopted === before.adopted && drained === before.drained) return
    writeFileAtomic(file, `${JSON.stringify({ locations, adopted, drained }, undefined, 2)}\n`)
    syncFolderOf(file)
  }

  return {
    read: async () => read(),
    addLocation: (place) => change((notes) => withLocation(notes, place)),
    adopt: (more) => change((notes) => withAdopted(notes, more)),
    addDrained: (ids) => change((notes) => withDrained(notes, ids)),
    removeDrained: (ids) => change((notes) => withoutDrained(notes, ids)),
    async takeOver() {},
  }
}

/** undefined without a file. Throws STATE_DIR_UNUSABLE for one that this program did not write. */
export function readClusterFile(stateDir: string): { text: string; notes: ClusterNotes } | undefined {
  const file = join(stateDir, clusterFile)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw unusable(file, (error as Error).message)
  }
  try {
    return { text, notes: clusterNotes.parse(JSON.parse(text)) }
  } catch {
    throw unusable(file, 'its contents are not valid')
  }
}

function unusable(file: string, why: string): ProvisionError {
  return new ProvisionError(
    problem('STATE_DIR_UNUSABLE', `${file} cannot be used: ${why}`, {
      remedy: `Restore the file, or remove it: rm ${file} (locations that no pool uses any more are then no longer searched).`,
    }),
  )
}
