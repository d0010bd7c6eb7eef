// The manifest while `npm pack` runs, also after a run that was interrupted.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, it } from 'vitest'
import { restoreManifest, stripManifest } from '../../../scripts/pack-manifest.ts'

const folder = mkdtempSync(join(tmpdir(), 'manifest-'))
const file = join(folder, 'package.json')
const kept = `${file}.repository`
afterAll(() => rmSync(folder, { recursive: true, force: true }))
beforeEach(() => rmSync(kept, { force: true }))

const manifest = (version: string) =>
  JSON.stringify({ version, scripts: { prepack: 'x' }, dependencies: { a: '1' } })
const versionOf = (path: string) => JSON.parse(readFileSync(path, 'utf8'))

it('has no dependencies and scripts until it is restored', () => {
  writeFileSync(file, manifest('1.0.0'))
  stripManifest(file)
  expect(versionOf(file)).toEqual({ version: '1.0.0' })
  restoreManifest(file)
  expect(readFileSync(file, 'utf8')).toBe(manifest('1.0.0'))
  expect(existsSync(kept)).toBe(false)
})

it('is the original again after a run that was interrupted, and one that was not', () => {
  writeFileSync(file, manifest('1.0.0'))
  stripManifest(file)
  stripManifest(file)
  expect(versionOf(file)).toEqual({ version: '1.0.0' })
  restoreManifest(file)
  expect(readFileSync(file, 'utf8')).toBe(manifest('1.0.0'))
})

it('is that of today, not that of an interrupted run, if someone has restored and changed it since', () => {
  writeFileSync(file, manifest('1.0.0'))
  stripManifest(file)
  writeFileSync(file, manifest('2.0.0'))
  stripManifest(file)
  expect(versionOf(file)).toEqual({ version: '2.0.0' })
  restoreManifest(file)
  expect(readFileSync(file, 'utf8')).toBe(manifest('2.0.0'))
})
