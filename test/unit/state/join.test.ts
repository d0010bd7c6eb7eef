// What the contract of the state cannot show of joins: who may read the files, damaged values, and that used nonces do not add up.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PGlite } from '@electric-sql/pglite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { folderJoin } from '../../../src/state/folder/join-files.ts'
import { nonceMemory } from '../../../src/state/join.ts'
import { quoted } from '../../../src/state/postgres/migrations.ts'
import { postgresStore } from '../../../src/state/postgres/postgres-store.ts'
import { databaseOn, openSession } from '../../support/pglite-database.ts'
import { silentLogger } from '../../support/silent-logger.ts'

const ca = { nonceKey: Buffer.alloc(32).toString('base64'), authorities: [] }
const binding = {
  ...{ instance: 'i-1', pool: 'gpu', key: '1'.repeat(64), issuer: '2'.repeat(64) },
  ...{ boundAt: 1, expiresAt: 3 },
}
const fromNonces = async (take: (nonce: string) => Promise<boolean>, count: number, name: string) => {
  for (let n = 0; n < count; n++) await take(`${name} ${n}`)
}

describe('in a folder', () => {
  let stateDir: string
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'state-join-'))
  })
  afterEach(() => rmSync(stateDir, { recursive: true }))
  const open = () => folderJoin(stateDir, Date.now)
  const all = () => readdirSync(join(stateDir, 'join'), { recursive: true, encoding: 'utf8' })

  it('only the owner can read anything, and one file is left of each value', async () => {
    const store = open()
    await store.replaceCa(ca, undefined)
    for (let n = 1; n < 4; n++) await store.replaceCa(ca, n)
    const first = await store.bind(binding)
    await store.replaceBinding(binding, first)
    await store.takeNonce('n')
    expect(all().filter((name) => /^(ca|bindings)\//.test(name))).toEqual(
      expect.arrayContaining(['ca/4', 'bindings/i-1', 'bindings/i-1/2']),
    )
    expect(all()).toHaveLength(3 + 1 + 2 + 1)
    for (const name of all()) {
      const stats = statSync(join(stateDir, 'join', name))
      expect([name, stats.mode & 0o777]).toEqual([name, stats.isDirectory() ? 0o700 : 0o600])
    }
    expect(statSync(join(stateDir, 'join')).mode & 0o777).toBe(0o700)
  })

  it('a revision that a crash has left behind is not read, and goes with the next change', async () => {
    const store = open()
    await store.replaceCa(ca, undefined)
    await store.replaceCa({ ...ca, authorities: [{ role: 'issuing', certificate: 'new' }] }, 1)
    writeFileSync(join(stateDir, 'join/ca/1'), readFileSync(join(stateDir, 'join/ca/2')))
    expect(await store.replaceCa(ca, 1)).toBe(false)
    expect((await store.readCa())!.authorities).toHaveLength(1)
    expect(await store.replaceCa(ca, 2)).toBe(true)
    expect(readdirSync(join(stateDir, 'join/ca'))).toEqual(['3'])
  })

  it('one who reads a revision that is long gone creates it for no reader', async () => {
    const store = open()
    await store.replaceCa(ca, undefined)
    for (let n = 1; n < 5; n++) expect(await store.replaceCa(ca, n)).toBe(true)
    for (let n = 1; n < 5; n++) expect(await store.replaceCa(ca, n)).toBe(false)
    expect(readdirSync(join(stateDir, 'join/ca'))).toEqual(['5'])
  })

  it('a damaged value is reported with its place', async () => {
    const store = open()
    await store.replaceCa(ca, undefined)
    await store.bind(binding)
    for (const [file, call] of [
      ['ca', () => store.readCa()],
      ['bindings/i-1', () => store.binding('i-1')],
    ] as const) {
      writeFileSync(join(stateDir, 'join', file, '1'), '{"nonceKey":"short"}')
      await expect(call()).rejects.toMatchObject({ code: 'AGENTS_CA_UNUSABLE' })
      await expect(call()).rejects.toThrow(join(stateDir, 'join', file))
    }
  })

  it('a folder that cannot be used is reported as such', async () => {
    writeFileSync(join(stateDir, 'join'), 'a file')
    for (const call of [() => open().readCa(), () => open().takeNonce('n'), () => open().bind(binding)])
      await expect(call()).rejects.toMatchObject({ code: 'STATE_DIR_UNUSABLE' })
  })

  it('what a crash has left behind, which may be a key, is removed with the first nonce of a start', async () => {
    await open().replaceCa(ca, undefined)
    const [old, current] = ['.old.tmp', '.current.tmp'].map((name) => join(stateDir, 'join', name)) as [
      string,
      string,
    ]
    for (const file of [old, current]) writeFileSync(file, 'a key')
    utimesSync(old, 1, 1)
    await open().takeNonce('n')
    expect(all().filter((name) => name.endsWith('.tmp'))).toEqual(['.current.tmp'])
  })

  it('nonces are forgotten once they are old', async () => {
    const store = open()
    await fromNonces(store.takeNonce, 300, 'old')
    const nonces = join(stateDir, 'join/nonces')
    const old = (Date.now() - nonceMemory - 60_000) / 1000
    for (const name of readdirSync(nonces)) utimesSync(join(nonces, name), old, old)
    await fromNonces(store.takeNonce, 300, 'new')
    expect(readdirSync(nonces)).toHaveLength(300)
    expect(await store.takeNonce('new 0')).toBe(false)
  })
})

describe('in PostgreSQL', () => {
  let session: PGlite
  beforeAll(async () => {
    session = await openSession()
  })
  afterAll(() => session.close())

  it('damaged values are reported, nonces are forgotten, and a store without tables has nothing', async () => {
    const database = databaseOn(session)
    const options = { database, schema: 'joins', program: 'test', clock: systemClock, logger: silentLogger }
    const store = postgresStore(options)
    expect([await store.join.readCa(), await store.join.binding('i'), await store.join.bindings()]).toEqual([
      undefined,
      undefined,
      [],
    ])
    await store.join.removeBindings(['i'])
    const release = await store.hold({ onLost() {} })
    const s = quoted('joins')
    await fromNonces(store.join.takeNonce, 300, 'old')
    await database.query(`UPDATE ${s}.join_nonces SET taken_at = taken_at - interval '11 minutes'`)
    await fromNonces(store.join.takeNonce, 300, 'new')
    const { rows } = await database.query(`SELECT count(*)::int AS count FROM ${s}.join_nonces`)
    expect(rows).toEqual([{ count: 300 }])
    await store.join.replaceCa(ca, undefined)
    await store.join.bind(binding)
    await database.query(`UPDATE ${s}.join_ca SET contents = '{}'`)
    await database.query(`UPDATE ${s}.join_bindings SET contents = 'no JSON'`)
    await expect(store.join.readCa()).rejects.toMatchObject({ code: 'AGENTS_CA_UNUSABLE' })
    await expect(store.join.bindings()).rejects.toMatchObject({ code: 'AGENTS_CA_UNUSABLE' })
    await release()
  })
})
