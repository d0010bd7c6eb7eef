import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadToken, sameToken } from '../../../src/http/access.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'token-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function failure(file: string): ProvisionError {
  try {
    loadToken(file)
  } catch (error) {
    return error as ProvisionError
  }
  throw new Error('it was taken')
}

describe('the token file', () => {
  it('is created when it is missing, 0600, and is the same at the next start', () => {
    const file = join(folder, 'state', 'token')
    const token = loadToken(file)
    expect(token).toMatch(/^[\w-]{43}$/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(loadToken(file)).toBe(token)
    expect(loadToken(join(folder, 'other'))).not.toBe(token)
  })

  it.each([0o640, 0o604, 0o620, 0o602])('is refused with mode %o, without printing the token', (mode) => {
    const file = join(folder, 'token')
    writeFileSync(file, 'a-token-of-some-length\n')
    chmodSync(file, mode)
    const error = failure(file)
    expect(error.code).toBe('TOKEN_FILE_OPEN')
    expect(error.message).toContain(mode.toString(8))
    expect(JSON.stringify(error.problems)).not.toContain('a-token-of-some-length')
  })

  it.each(['', '\n', 'short'])('is refused when it contains %j', (content) => {
    const file = join(folder, 'token')
    writeFileSync(file, content, { mode: 0o600 })
    expect(failure(file).code).toBe('TOKEN_FILE_UNUSABLE')
    expect(readFileSync(file, 'utf8')).toBe(content)
  })

  it('is refused when it is a folder, or its folder cannot be created', () => {
    expect(failure(folder).code).toMatch(/^TOKEN_FILE_/)
    writeFileSync(join(folder, 'file'), '')
    expect(failure(join(folder, 'file', 'token')).code).toBe('TOKEN_FILE_UNUSABLE')
  })
})

it('tokens are compared completely', () => {
  expect(sameToken('abc', 'abc')).toBe(true)
  expect(sameToken('ab', 'abc')).toBe(false)
  expect(sameToken('', 'abc')).toBe(false)
  expect(sameToken('abcd', 'abc')).toBe(false)
})

it.each(['link', 'FIFO', 'folder'])('a token that is a %s is refused, and not waited for', (kind) => {
  const file = join(folder, 'token')
  writeFileSync(join(folder, 'planted'), 'a-token-of-some-length\n', { mode: 0o600 })
  if (kind === 'link') symlinkSync(join(folder, 'planted'), file)
  else if (kind === 'FIFO') execFileSync('mkfifo', ['-m', '600', file])
  else mkdirSync(file, { mode: 0o700 })
  const error = failure(file)
  expect(error.code).toBe('TOKEN_FILE_UNUSABLE')
  expect(error.message).toContain(file)
})
