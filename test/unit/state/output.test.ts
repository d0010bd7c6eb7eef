// The output of jobs: its files belong to the user alone, a crash costs one line, and all of it together is bounded.
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { outputFiles } from '../../../src/state/folder/output-files.ts'
import type { OutputChunk, OutputStore } from '../../../src/state/output.ts'
import { migrate, quoted } from '../../../src/state/postgres/migrations.ts'
import { openOutputTable } from '../../../src/state/postgres/output-table.ts'
import { rightLost } from '../../../src/state/postgres/right.ts'
import { databaseOn, openSession } from '../../support/pglite-database.ts'

let folder: string
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'output-')), 'output')
})
afterEach(() => rmSync(join(folder, '..'), { recursive: true }))

const chunk = (allocation: string, first: number, texts: string[], kept = 0): OutputChunk => ({
  ...{ allocation, first, kept, positions: { c: { stdout: first + texts.length, stderr: 0 } } },
  lines: texts.map((text, n) => ({
    ...{ containerId: 'c', timestamp: '', stream: 'stdout', text, position: first + n + 1 },
  })),
})
const texts = async (output: OutputStore, allocation: string) =>
  (await output.read(allocation)).lines.map(({ text }) => text)

describe('in a folder', () => {
  const file = () => join(folder, 'a.1.lines')

  it('is accessible only to its owner', async () => {
    await outputFiles({ folder }).append([chunk('a.1', 0, ['secret'])])
    expect([lstatSync(folder).mode & 0o777, lstatSync(file()).mode & 0o777]).toEqual([0o700, 0o600])
  })

  it('loses one line where a crash has cut the last one, and continues', async () => {
    await outputFiles({ folder }).append([chunk('a.1', 0, ['one', 'two'])])
    await outputFiles({ folder }).append([chunk('a.1', 2, ['three', 'four'])])
    truncateSync(file(), statSync(file()).size - 4)
    const next = outputFiles({ folder })
    expect(await next.read('a.1')).toMatchObject({ count: 3, positions: { c: { stdout: 3, stderr: 0 } } })
    await next.append([chunk('a.1', 3, ['again', 'five'])])
    expect(await texts(outputFiles({ folder }), 'a.1')).toEqual(['one', 'two', 'three', 'again', 'five'])
  })

  it('counts no line that a crash has cut before its head', async () => {
    await outputFiles({ folder }).append([chunk('a.1', 0, ['one', 'two'])])
    const [, ...lines] = readFileSync(file(), 'utf8').split('\n')
    writeFileSync(file(), `\n${lines[0]}\n${lines[1]!.slice(0, 20)}`)
    expect(await outputFiles({ folder }).read('a.1')).toMatchObject({
      count: 1,
      positions: { c: { stdout: 1, stderr: 0 } },
    })
  })

  it('ignores lines that were altered', async () => {
    await outputFiles({ folder }).append([chunk('a.1', 0, ['one', 'two'])])
    appendFileSync(file(), 'hello\n00000000 {"n":7}\n')
    expect(await texts(outputFiles({ folder }), 'a.1')).toEqual(['one', 'two'])
  })

  it('is neither read nor written through a link', async () => {
    mkdirSync(folder, { recursive: true })
    const other = join(folder, '..', 'other')
    writeFileSync(other, '')
    symlinkSync(other, file())
    const output = outputFiles({ folder })
    expect(await output.heads(['a.1'])).toEqual(new Map())
    await expect(output.append([chunk('a.1', 0, ['one'])])).rejects.toThrow('symbolic link')
    expect(readFileSync(other, 'utf8')).toBe('')
    await output.append([chunk('b.1', 0, ['one'])])
    expect(await texts(output, 'b.1')).toEqual(['one'])
  })

  it('keeps the output that was written last when there is too much, and all heads', async () => {
    const most = 300_000
    const long = 'x'.repeat(1_000)
    const first = outputFiles({ folder, most })
    for (const n of ['old', 'older', 'new']) {
      await first.append([chunk(n, 0, Array<string>(80).fill(long))])
      utimesSync(join(folder, `${n}.lines`), 1, { old: 2_000, older: 1_000, new: 3_000 }[n]!)
    }
    const next = outputFiles({ folder, most })
    await next.append([chunk('fresh', 0, Array<string>(50).fill(long)), chunk('new', 80, [long])])
    expect((await texts(next, 'older')).length).toBe(0)
    expect(await next.heads(['older'])).toEqual(
      new Map([['older', { count: 80, positions: { c: { stdout: 80, stderr: 0 } } }]]),
    )
    expect(
      await Promise.all(['old', 'new', 'fresh'].map(async (n) => (await texts(next, n)).length)),
    ).toEqual([80, 81, 50])
    await next.append([chunk('older', 80, ['again'])])
    expect(await next.read('older')).toMatchObject({ count: 81, lines: [{ text: 'again' }] })
    const bytes = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    for (let n = 0; n < 1_000; n += 50) await next.append([chunk(`${n}`, n, Array<string>(50).fill(long), n)])
    expect(bytes()).toBeLessThan(1.2 * most)
  })

  it('leaves nothing of what is forgotten, nor of a crash while it was reduced', async () => {
    const output = outputFiles({ folder })
    for (let n = 0; n < 400; n += 20)
      await output.append([chunk('a.1', n, Array<string>(20).fill('x'.repeat(500)), n)])
    expect(existsSync(`${file()}.1`)).toBe(true)
    writeFileSync(`${file()}.77.abc.tmp`, '')
    const next = outputFiles({ folder })
    await next.append([chunk('b.1', 0, ['one'])])
    await next.forget(['a.1', 'b.1'])
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('in PostgreSQL', () => {
  it('keeps the output that was written last when there is too much, and all heads', async () => {
    const session = await openSession()
    const database = databaseOn(session)
    await migrate(database, 'output', 'test')
    const nonce = '00000000-0000-4000-8000-000000000000'
    await database.query(
      `INSERT INTO output.leases (name, epoch, nonce, holder, expires_at) VALUES ('a', 1, '${nonce}', '', now())`,
    )
    const right = { to: 'test', proof: () => ['a', 1, nonce] as const, fault: () => undefined }
    const open = (most?: number) =>
      openOutputTable({ database, schema: quoted('output'), right, ...(most !== undefined && { most }) })
    const long = 'x'.repeat(1_000)
    for (const n of ['older', 'old', 'new']) await open().append([chunk(n, 0, Array<string>(80).fill(long))])
    const next = open(250_000)
    await next.append([chunk('fresh', 0, Array<string>(50).fill(long)), chunk('new', 80, [long])])
    expect(
      await Promise.all(['older', 'old', 'new', 'fresh'].map(async (n) => (await texts(next, n)).length)),
    ).toEqual([0, 80, 81, 50])
    expect(await next.heads(['older'])).toEqual(
      new Map([['older', { count: 80, positions: { c: { stdout: 80, stderr: 0 } } }]]),
    )
    await next.append([chunk('older', 80, ['again'])])
    expect(await next.read('older')).toMatchObject({ count: 81, lines: [{ text: 'again' }] })
    const lost = openOutputTable({
      database,
      schema: quoted('output'),
      right: {
        ...right,
        proof: () => {
          throw rightLost('x')
        },
      },
    })
    await expect(lost.append([chunk('a', 0, ['one'])])).rejects.toThrow('STATE_RIGHT_LOST')
    await session.close()
  })
})
