// Changes of files are detected by their contents.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { contentsFingerprint } from '../../../src/platform/files.ts'

let directory: string
let files: string[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'watched-file-'))
  files = [join(directory, 'a'), join(directory, 'b')]
  writeFileSync(files[0]!, 'one')
  writeFileSync(files[1]!, 'two')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('the same contents are unchanged, whatever the dates', () => {
  const before = contentsFingerprint(files)
  utimesSync(files[0]!, 1, 1)
  writeFileSync(files[1]!, 'two')
  chmodSync(files[1]!, 0o600)
  expect(contentsFingerprint(files)).toBe(before)
})

test('other contents of the same size and date are detected', () => {
  utimesSync(files[0]!, 1, 1)
  const before = contentsFingerprint(files)
  writeFileSync(files[0]!, 'eno')
  utimesSync(files[0]!, 1, 1)
  expect(contentsFingerprint(files)).not.toBe(before)
})

test('bytes moved from one file to the next are detected', () => {
  const before = contentsFingerprint(files)
  writeFileSync(files[0]!, 'onet')
  writeFileSync(files[1]!, 'wo')
  expect(contentsFingerprint(files)).not.toBe(before)
})

test('a missing file is a state, and a restored file is the old state', () => {
  const before = contentsFingerprint(files)
  rmSync(files[0]!)
  const missing = contentsFingerprint(files)
  expect(missing).not.toBe(before)
  writeFileSync(files[0]!, '')
  expect(contentsFingerprint(files)).not.toBe(missing)
  writeFileSync(files[0]!, 'one')
  expect(contentsFingerprint(files)).toBe(before)
})

test('a folder at its path is a state too', () => {
  expect(contentsFingerprint([directory])).toMatch(/^[0-9a-f]{64}$/)
})

test('links are followed, and a swapped link is a change', () => {
  for (const version of ['1', '2']) {
    mkdirSync(join(directory, `..${version}`))
    writeFileSync(join(directory, `..${version}`, 'cert'), version)
  }
  symlinkSync('..1', join(directory, '..data'))
  symlinkSync(join('..data', 'cert'), join(directory, 'cert'))
  const before = contentsFingerprint([join(directory, 'cert')])
  symlinkSync('..2', join(directory, '..new'))
  renameSync(join(directory, '..new'), join(directory, '..data'))
  expect(contentsFingerprint([join(directory, 'cert')])).not.toBe(before)
})
