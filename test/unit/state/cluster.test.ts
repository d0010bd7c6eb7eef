// The notes about the cluster: today's file in a folder, and what a database takes over of it.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PGlite } from '@electric-sql/pglite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import type { StoredCluster } from '../../../src/state/cluster.ts'
import { folderCluster, readClusterFile } from '../../../src/state/folder/cluster-file.ts'
import { postgresStore } from '../../../src/state/postgres/postgres-store.ts'
import { databaseOn, openSession } from '../../support/pglite-database.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cluster-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const west = { provider: 'aws', location: { region: 'us-west-2' } }
const text = (notes: object) => `${JSON.stringify(notes, undefined, 2)}\n`
const fileIn = (folder: string) => join(dir, folder, 'locations.json')

function write(folder: string, contents: string): string {
  mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 })
  writeFileSync(fileIn(folder), contents)
  return contents
}

describe('in a folder', () => {
  it('are the file that every version has written, and nothing before the first', async () => {
    const cluster = folderCluster(join(dir, 'state'))
    expect(await cluster.read()).toEqual({ locations: [], adopted: [], drained: [] })
    await cluster.removeDrained(['i-1'])
    await cluster.takeOver()
    expect(existsSync(join(dir, 'state'))).toBe(false)
    await cluster.addLocation(west)
    await cluster.addLocation({ ...west, account: '1' })
    await cluster.adopt([{ writer: 'w', pool: 'gpu' }])
    await cluster.addDrained(['i-1'])
    expect(readFileSync(fileIn('state'), 'utf8')).toBe(
      text({
        locations: [{ ...west, account: '1' }],
        adopted: [{ writer: 'w', pool: 'gpu' }],
        drained: ['i-1'],
      }),
    )
  })

  it('are read from a file of a version that knew no drains', async () => {
    write('state', text({ locations: [west], adopted: [] }))
    expect(await folderCluster(join(dir, 'state')).read()).toEqual({
      locations: [west],
      adopted: [],
      drained: [],
    })
  })

  it.each(['', '{}', 'not JSON', '{"locations": [{}], "adopted": []}'])(
    'that are not valid (%s) are an error, and stay as they are',
    async (contents) => {
      write('state', contents)
      const cluster = folderCluster(join(dir, 'state'))
      for (const use of [
        () => cluster.read(),
        () => cluster.addLocation(west),
        () => cluster.addDrained(['i']),
      ])
        await expect(use()).rejects.toMatchObject({ code: 'STATE_DIR_UNUSABLE' })
      expect(readFileSync(fileIn('state'), 'utf8')).toBe(contents)
    },
  )
})

describe('in a database', () => {
  let session: PGlite
  let schemas = 0
  beforeAll(async () => {
    session = await openSession()
  })
  afterAll(() => session.close())

  /** Provisioners on several hosts with one schema: each has its own folder. */
  async function hosts(...folders: string[]): Promise<StoredCluster[]> {
    const schema = `cluster ${++schemas}`
    const stores = folders.map((folder) =>
      postgresStore({
        database: databaseOn(session),
        schema,
        program: 'test',
        clock: systemClock,
        logger: silentLogger,
        earlier: () => readClusterFile(join(dir, folder)),
      }),
    )
    await (await stores[0]!.hold({ onLost() {} }))()
    return stores.map(({ cluster }) => cluster)
  }

  const earlier = {
    locations: [{ ...west, account: '1' }],
    adopted: [{ writer: 'w', pool: 'gpu' }],
    drained: ['i-1'],
  }

  it('take over the file of the folder once, and leave it', async () => {
    const contents = write('one', text(earlier))
    const [cluster] = (await hosts('one')) as [StoredCluster]
    expect((await cluster.read()).locations).toEqual([])
    await cluster.takeOver()
    expect(await cluster.read()).toEqual(earlier)
    // Not again: this agent was given back since.
    await cluster.removeDrained(['i-1'])
    await cluster.takeOver()
    expect((await cluster.read()).drained).toEqual([])
    expect(readFileSync(fileIn('one'), 'utf8')).toBe(contents)
  })

  it('take over those of several hosts, one of them with the same file, at once', async () => {
    write('one', text(earlier))
    write('two', text({ ...earlier, locations: [west, { provider: 'gcp', location: { project: 'p' } }] }))
    write('copy', text(earlier))
    const all = await hosts('one', 'two', 'copy', 'none')
    await Promise.all(all.map((cluster) => cluster.takeOver()))
    const { locations, adopted, drained } = await all[0]!.read()
    expect(locations).toHaveLength(2)
    expect(locations).toContainEqual({ ...west, account: '1' })
    expect([adopted, drained]).toEqual([earlier.adopted, earlier.drained])
  })

  it('are not begun with a file that is not valid', async () => {
    write('one', '{"locations": 3}')
    const [cluster] = (await hosts('one')) as [StoredCluster]
    await expect(cluster.takeOver()).rejects.toMatchObject({ code: 'STATE_DIR_UNUSABLE' })
    write('one', text(earlier))
    await cluster.takeOver()
    expect(await cluster.read()).toEqual(earlier)
  })
})
