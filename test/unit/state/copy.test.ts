// The state is copied from one kind of store to the other and back, and nothing is overwritten.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PGlite } from '@electric-sql/pglite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { copyState } from '../../../src/state/copy.ts'
import { postgresStore } from '../../../src/state/postgres/postgres-store.ts'
import type { StateStore } from '../../../src/state/store.ts'
import { databaseOn, openSession } from '../../support/pglite-database.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { storeIn } from '../../support/state-store.ts'

let session: PGlite
let root: string
let schemas = 0
const releases: (() => void | Promise<void>)[] = []
beforeAll(async () => {
  session = await openSession()
})
afterAll(() => session.close())
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'copy-'))
})
afterEach(async () => {
  for (const release of releases.splice(0)) await release()
  rmSync(root, { recursive: true })
})

async function held(store: StateStore): Promise<StateStore> {
  releases.push(await store.hold({ onLost() {}, alone: true }))
  return store
}
const folder = (name: string) => held(storeIn(join(root, name)))
const tables = () =>
  held(
    postgresStore({
      database: databaseOn(session),
      schema: `copy ${++schemas}`,
      program: 'test',
      clock: systemClock,
      logger: silentLogger,
    }),
  )

const owner = { cluster: 'prod', pool: 'gpu/1 "ü"', writer: 'w' }
const gpu = { name: { pool: owner.pool }, kind: 'fleet 1', owner }

const nonceKey = Buffer.alloc(32, 7).toString('base64')
const boundTo = (instance: string) => ({
  ...{ instance, pool: owner.pool, key: '1'.repeat(64), issuer: '2'.repeat(64) },
  ...{ boundAt: 1, expiresAt: 3 },
})

async function fill(store: StateStore): Promise<StateStore> {
  await store.identity.write('cluster-id', 'prod')
  await store.identity.write('writer-id', 'w')
  await store.identity.write('incarnations', '0000000a\n0000000b')
  await store.cluster.addLocation({ provider: 'gcp', location: { project: 'p', region: 'r' } })
  await store.cluster.addLocation({ provider: 'aws', location: { region: 'us-west-2' }, account: '1' })
  await store.cluster.adopt([{ writer: 'v', pool: owner.pool }])
  await store.cluster.addDrained(['i-2', 'i-1'])
  await store.join.replaceCa({ nonceKey, authorities: [{ role: 'issuing', certificate: 'c' }] }, undefined)
  for (const n of [1, 2]) await store.join.bind(boundTo(`i-${n}`))
  const { journal } = await store.openJournal(gpu)
  for (let n = 0; n < 20; n++)
    await journal.append({ at: n, kind: 'intent', text: `ü\u0000 ${n}`, deep: [{ n }] })
  await journal.close()
  const master = await store.openJournal({ name: 'master', kind: 'master state 1' })
  await master.journal.append({ at: 1, kind: 'cluster', clusterId: 'prod' })
  await master.journal.close()
  for (const n of [0, 1])
    await store.openOutput({}).append([
      {
        ...{ allocation: `job-${n}/ü`, first: n, kept: n, positions: { c: { stdout: 7, stderr: 0 } } },
        lines: [{ containerId: 'c', timestamp: '', stream: 'stdout', text: `ü\u0000 ${n}\n`, position: 7 }],
      },
    ])
  const log = store.openDecisions({
    onFault(error) {
      throw error
    },
  })
  for (let n = 0; n < 2_500; n++) log.add({ at: n, kind: 'decided', pool: 'gpu' })
  await log.close()
  return store
}

describe('a copy', () => {
  it('has everything, to the database and back to another folder', async () => {
    const first = await fill(await folder('first'))
    const second = await tables()
    const parts = await copyState(first, second)
    expect(parts.map(({ what, records }) => [what, records])).toEqual([
      ['cluster-id', 1],
      ['writer-id', 1],
      ['incarnations', 2],
      ['notes about the cluster', 5],
      ['journal of the master', 1],
      [`journal of pool ${owner.pool}`, 20],
      ['output of jobs', 2],
      ["agents' CA and keys of instances", 3],
      ['decisions', 2_500],
    ])
    const third = await folder('third')
    expect(await copyState(second, third)).toEqual(parts)
    expect(await third.identity.read('incarnations')).toBe(await first.identity.read('incarnations'))
    const drained = async (store: StateStore) => (await store.cluster.read()).drained.sort()
    expect(await drained(third)).toEqual(['i-1', 'i-2'])
    expect((await third.cluster.read()).locations).toHaveLength(2)
    const { records, problems } = await third.openJournal(gpu)
    expect([records.length, records[3]!['text'], problems]).toEqual([20, 'ü\u0000 3', []])
    expect(await third.join.readCa()).toMatchObject({ nonceKey })
    expect(await third.join.binding('i-2')).toMatchObject(boundTo('i-2'))
    expect(await third.readDecisions({})).toEqual(await first.readDecisions({}))
    const printed = (store: StateStore) => store.openOutput({}).read('job-1/ü')
    expect(await printed(third)).toMatchObject({ count: 2, lines: [{ text: 'ü\u0000 1\n', position: 7 }] })
    expect(await printed(third)).toEqual(await printed(first))
  })

  it('of nothing, or over something, is refused', async () => {
    const [empty, full] = [await tables(), await fill(await folder('full'))]
    await expect(copyState(empty, full)).rejects.toThrow(/STATE_COPY_REFUSED.*nothing to copy/)
    await copyState(full, empty)
    await expect(copyState(full, empty)).rejects.toThrow(/STATE_COPY_REFUSED.*nothing is overwritten/)
  })

  it('over locations alone is refused', async () => {
    const [full, noted] = [await fill(await folder('full')), await tables()]
    await noted.cluster.addLocation({ provider: 'aws', location: { region: 'us-east-1' } })
    await expect(copyState(full, noted)).rejects.toThrow(/STATE_COPY_REFUSED.*nothing is overwritten/)
  })

  it("over the agents' CA alone is refused", async () => {
    const [full, joined] = [await fill(await folder('full')), await tables()]
    await joined.join.replaceCa({ nonceKey, authorities: [] }, undefined)
    await expect(copyState(full, joined)).rejects.toThrow(/STATE_COPY_REFUSED.*nothing is overwritten/)
  })

  it('over the output of jobs alone is refused', async () => {
    const [full, printed] = [await fill(await folder('full')), await tables()]
    await printed.openOutput({}).append([{ allocation: 'a', first: 0, kept: 0, positions: {}, lines: [] }])
    await expect(copyState(full, printed)).rejects.toThrow(/STATE_COPY_REFUSED.*nothing is overwritten/)
  })

  it('whose output is read back differently is refused', async () => {
    const [full, lossy] = [await fill(await folder('full')), await tables()]
    const openOutput: StateStore['openOutput'] = (options) => {
      const output = lossy.openOutput(options)
      return { ...output, read: async (allocation) => ({ ...(await output.read(allocation)), lines: [] }) }
    }
    await expect(copyState(full, { ...lossy, openOutput })).rejects.toThrow(
      /STATE_COPY_DIFFERS.*output of jobs/,
    )
  })

  it('whose locations are read back differently is refused', async () => {
    const full = await fill(await folder('full'))
    const lossy = await tables()
    const addDrained = async () => {}
    const cluster = { ...lossy.cluster, addDrained }
    await expect(copyState(full, { ...lossy, cluster })).rejects.toThrow(
      /STATE_COPY_DIFFERS.*notes about the cluster/,
    )
  })

  it('that is read back differently is refused', async () => {
    const full = await fill(await folder('full'))
    const lossy = await tables()
    const openJournal: StateStore['openJournal'] = async (options) => {
      const opened = await lossy.openJournal(options)
      return { ...opened, records: opened.records.slice(1) }
    }
    await expect(copyState(full, { ...lossy, openJournal })).rejects.toThrow(/STATE_COPY_DIFFERS/)
  })
})
