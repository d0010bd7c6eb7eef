// The identity in files with one short text each, and what shows that the folder has been used before.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { readPlainFile, syncFolderOf, writeFileAtomic } from '../../platform/index.ts'
import type { IdentityPart, StoredIdentity, StoreWords, Trace } from '../store.ts'
import { clusterFile } from './cluster-file.ts'
import { journalOwnerOf } from './journal-file.ts'

/** Reads without creating or locking anything: a dry run uses it, too. */
export function folderIdentity(stateDir: string): StoredIdentity {
  const at = (name: string) => join(stateDir, name)
  const fleet = at('fleet')
  const inFleet = () => (existsSync(fleet) ? readdirSync(fleet) : [])
  const read = (part: IdentityPart) => readPlainFile(at(part))
  function write(part: IdentityPart, value: string): void {
    writeFileAtomic(at(part), `${value}\n`)
    syncFolderOf(at(part))
  }
  return {
    isShared: false,
    read: async (part) => read(part),
    write: async (part, value) => write(part, value),
    // One process has the folder, so nobody writes in between.
    async settle(part, value) {
      const found = read(part)
      if (found === undefined) write(part, value)
      return found ?? value
    },
    async addIncarnation(line, most) {
      const lines = [...(read('incarnations')?.trim().split('\n') ?? []), line].slice(-most)
      write('incarnations', lines.join('\n'))
      return lines
    },
    placeOf: at,
    async traces() {
      const files = ['writer-id', 'incarnations', 'master.journal'].map(at)
      const journals = inFleet().filter((name) => name.endsWith('.journal'))
      return [...files, ...journals.map((name) => join(fleet, name))]
        .filter((file) => existsSync(file))
        .map(traceOf)
    },
    isNew: async () =>
      !['writer-id', 'cluster-id', 'fleet', 'incarnations', clusterFile].some((name) => existsSync(at(name))),
    isYoung: async () => false,
    // A journal that was set aside may be the only one left of its pool.
    pools: async () => inFleet().flatMap((name) => journalOwnerOf(join(fleet, name))?.pool ?? []),
    words: wordsOf(stateDir),
  }
}

function traceOf(place: string): Trace {
  const owner = journalOwnerOf(place)
  return { place, ...(owner && { owner }) }
}

function wordsOf(stateDir: string): StoreWords {
  return {
    noun: 'state_dir',
    writeAgain: (part, value) => `echo ${value} > ${join(stateDir, part)}`,
    startEmpty: (label) => `start with an empty folder: mv ${stateDir} ${stateDir}.${label}`,
    removeAll: `remove ${stateDir}`,
  }
}
