// The launcher keeps V8's code of a command in a file, and no file of that kind may change what the program does.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import about from '../../../package.json' with { type: 'json' }

describe('the launcher', () => {
  let folder: string
  let cache: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'launcher-'))
    cache = join(folder, 'provision')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  function run(args: string[], env: Record<string, string> = { XDG_CACHE_HOME: folder }) {
    const { PATH } = process.env
    const { status, stdout, stderr } = spawnSync(process.execPath, [inject('cli'), ...args], {
      env: { PATH, ...env },
      encoding: 'utf8',
      timeout: 60_000,
    })
    return { status, stdout, stderr }
  }
  const version = { status: 0, stdout: `${about.version}\n`, stderr: '' }
  const files = () => readdirSync(cache)
  const modeOf = (path: string) => statSync(path).mode & 0o777

  test('writes one file per command, for its user alone', () => {
    expect(run(['--version'])).toEqual(version)
    const [file = ''] = files()
    expect([modeOf(cache), modeOf(join(cache, file))]).toEqual([0o700, 0o600])
    const before = readFileSync(join(cache, file))
    expect(run(['--version'])).toEqual(version)
    expect(run(['-V'])).toEqual(version)
    expect(readFileSync(join(cache, file)).equals(before)).toBe(true)
    expect(run(['schema']).status).toBe(0)
    expect(files().map((name) => name.split('_')[0])).toEqual(['help', 'schema'])
  })

  test('what a command loads later is loaded without a warning', () => {
    const file = join(folder, 'master.yaml')
    writeFileSync(file, 'resource_pools: [{pool_name: p, provider: {type: local}}]\n')
    const first = run(['validate', '-c', file])
    expect(first).toMatchObject({ status: 0, stderr: expect.not.stringContaining('xperimental') })
    expect(run(['validate', '-c', file])).toEqual(first)
  })

  test('a command that does not exist leaves no file', () => {
    expect(run(['../../statsu']).status).toBe(2)
    expect(readdirSync(folder)).toEqual([])
  })

  test.each([
    ['no code', Buffer.from('not code')],
    ['empty', Buffer.alloc(0)],
  ])('a file with %s is replaced', (_, content) => {
    run(['--version'])
    const file = join(cache, files()[0]!)
    const good = readFileSync(file).length
    writeFileSync(file, content)
    expect(run(['--version'])).toEqual(version)
    expect(readFileSync(file).length).toBeGreaterThan(good / 2)
  })

  test('a damaged file is not run', () => {
    run(['--version'])
    const file = join(cache, files()[0]!)
    const code = readFileSync(file)
    for (const at of [16, 32, 4_000, code.length >> 1, code.length - 2]) {
      const damaged = Buffer.from(code)
      damaged[at]! ^= 0x40
      writeFileSync(file, damaged)
      expect(run(['--version']), `byte ${at}`).toEqual(version)
    }
  })

  test('a file that others could have written is not read', () => {
    run(['--version'])
    const file = join(cache, files()[0]!)
    chmodSync(file, 0o666)
    expect(run(['--version'])).toEqual(version)
    expect(modeOf(file)).toBe(0o600)
  })

  test('the files of another build are removed, and no others', () => {
    mkdirSync(cache)
    for (const name of ['help_0123456789abcdef_v22.12.0_x64', 'notes.txt'])
      writeFileSync(join(cache, name), '')
    run(['--version'])
    expect(files()).toEqual([expect.stringMatching(/^help_(?!0123456789abcdef)/), 'notes.txt'])
  })

  test.each([
    ['nowhere to write', { XDG_CACHE_HOME: '/proc/none' }],
    ['no such home', { HOME: '/nonexistent' }],
    ['no home', {}],
    ['it is switched off', { HOME: '/proc/none', NODE_DISABLE_COMPILE_CACHE: '1' }],
  ])('the program runs where there is %s', (_, env) => {
    expect(run(['--version'], env)).toEqual(version)
    expect(existsSync('/nonexistent')).toBe(false)
  })
})
