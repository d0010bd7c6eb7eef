// The file shared with Determined's command line: its path, contents, modes and faults.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  pairs,
  parseFingerprint,
  storeText,
  trustStore,
  trustStoreFile,
} from '../../../src/pki/trust-store.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trust-store-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('its path', () => {
  const HOME = '/home/ada'
  it.each([
    [
      'the folder for tests',
      { DET_DEBUG_CONFIG_PATH: '/d', XDG_CONFIG_HOME: '/x', HOME },
      'linux',
      '/d/certs.json',
    ],
    ['XDG on Linux', { XDG_CONFIG_HOME: '/x', HOME }, 'linux', '/x/determined/certs.json'],
    ['the home folder', { HOME }, 'linux', '/home/ada/.config/determined/certs.json'],
    [
      'not an empty variable',
      { XDG_CONFIG_HOME: '', HOME },
      'linux',
      '/home/ada/.config/determined/certs.json',
    ],
    [
      'not XDG on a Mac',
      { XDG_CONFIG_HOME: '/x', HOME },
      'darwin',
      '/home/ada/Library/Application Support/determined/certs.json',
    ],
  ] as const)('is %s', (_, env, platform, file) => {
    expect(trustStoreFile(env, platform)).toBe(file)
  })
})

describe('its contents', () => {
  it("are those of Python's json.dump(indent=4, sort_keys=True)", () => {
    expect(storeText({ 'https://b:1': 'two\nlines', 'https://a:1': 'ü\x7f' })).toBe(
      '{\n    "https://a:1": "\\u00fc\\u007f",\n    "https://b:1": "two\\nlines"\n}',
    )
    expect(storeText({})).toBe('{}')
  })

  it('keep entries of other programs, and change one entry', async () => {
    const store = trustStore(join(dir, 'determined/certs.json'))
    await store.set('https://b:1', 'B')
    await store.set('https://a:1', 'A')
    await store.set('https://b:1', 'B2')
    expect(store.read()).toEqual({ 'https://a:1': 'A', 'https://b:1': 'B2' })
    expect(await store.remove('https://a:1')).toBe(true)
    expect(await store.remove('https://a:1')).toBe(false)
    expect(readFileSync(store.file, 'utf8')).toBe('{\n    "https://b:1": "B2"\n}')
  })

  it('are complete after many concurrent writes', async () => {
    const store = trustStore(join(dir, 'certs.json'))
    const urls = Array.from({ length: 8 }, (_, n) => `https://m${n}:1`)
    await Promise.all(urls.map((url) => store.set(url, url)))
    expect(Object.keys(store.read())).toEqual(urls)
  })
})

describe('its modes', () => {
  it('allow only the owner, and leave only the lock file beside it', async () => {
    const folder = join(dir, 'determined')
    const { file, set } = trustStore(join(folder, 'certs.json'))
    await set('https://a:1', 'A')
    expect([statSync(folder).mode & 0o777, statSync(file).mode & 0o777]).toEqual([0o700, 0o600])
    expect(readdirSync(folder).filter((name) => !name.endsWith('.lock'))).toEqual(['certs.json'])
  })
})

describe('an invalid file', () => {
  it.each([
    ['not JSON', '{"https://a:1": '],
    ['a list', '[]'],
    ['a certificate that is not a string', '{"https://a:1": 1}'],
  ])('%s: is named, and neither overwritten nor deleted', async (_, text) => {
    const store = trustStore(join(dir, 'certs.json'))
    writeFileSync(store.file, text)
    const unreadable = expect.objectContaining({ code: 'TRUST_STORE_UNREADABLE' })
    expect(() => store.read()).toThrow(unreadable)
    await expect(store.set('https://a:1', 'A')).rejects.toThrow(unreadable)
    expect(readFileSync(store.file, 'utf8')).toBe(text)
  })

  it('a folder at its path: is named', () => {
    mkdirSync(join(dir, 'certs.json'))
    expect(() => trustStore(join(dir, 'certs.json')).read()).toThrow(/EISDIR/)
  })

  it('a path that cannot be written: is named', async () => {
    writeFileSync(join(dir, 'file'), '')
    const store = trustStore(join(dir, 'file/determined/certs.json'))
    await expect(store.set('https://a:1', 'A')).rejects.toMatchObject({ code: 'FILE_NOT_WRITTEN' })
  })
})

describe('a SHA-256', () => {
  const hex = 'ab'.repeat(32)
  it.each([
    hex,
    hex.toUpperCase(),
    `sha256:${hex}`,
    `SHA256:${pairs(hex)}`,
    pairs(hex).toUpperCase(),
    ` sha-256=${hex}\n`,
  ])('is read from %j', (text) => expect(parseFingerprint(text)).toBe(hex))
  it.each(['', 'sha256:', hex.slice(1), `${hex}0`, `md5:${hex}`, `${hex.slice(1)}g`])(
    'is not read from %j',
    (text) => expect(parseFingerprint(text)).toBeUndefined(),
  )
  it('is shown in pairs', () => expect(pairs('0a1b2c')).toBe('0a:1b:2c'))
})
