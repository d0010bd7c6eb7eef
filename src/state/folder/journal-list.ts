// The journals in a folder, by their first lines.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { JournalHeader, JournalName } from '../store.ts'
import { journalHeaderOf } from './journal-file.ts'

const suffix = '.journal'

/** Files without a readable first line are left out; a start would set them aside. */
export function journalsIn(stateDir: string): JournalHeader[] {
  const fleet = join(stateDir, 'fleet')
  const pools = existsSync(fleet) ? readdirSync(fleet).filter((name) => name.endsWith(suffix)) : []
  return [
    ...headerOf(join(stateDir, 'master.journal'), () => 'master'),
    ...pools.flatMap((file) =>
      headerOf(join(fleet, file), (pool = decodeURIComponent(file.slice(0, -suffix.length))) => ({ pool })),
    ),
  ]
}

function headerOf(file: string, nameOf: (pool?: string) => JournalName): JournalHeader[] {
  const header = journalHeaderOf(file)
  return header ? [{ name: nameOf(header.owner?.pool), ...header }] : []
}
