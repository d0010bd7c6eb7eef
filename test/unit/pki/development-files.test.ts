// Writes a development CA: all files or none, and never over an existing file.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  createDevelopmentChain,
  type DevelopmentChain,
  writeDevelopmentChain,
} from '../../../src/pki/development-ca.ts'
import type { ProvisionError } from '../../../src/problems/index.ts'

const names = [
  'chain.crt',
  'intermediate.crt',
  'intermediate.key',
  'root.crt',
  'root.key',
  'server.crt',
  'server.key',
]
let chain: DevelopmentChain
let temporary: string

beforeAll(async () => {
  chain = await createDevelopmentChain({ names: ['localhost'], ips: [], days: 1, now: Date.now() })
})
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'development-files-'))
})
afterEach(() => {
  rmSync(temporary, { recursive: true, force: true })
})

function refusal(directory: string): ProvisionError {
  try {
    writeDevelopmentChain(directory, chain)
  } catch (error) {
    return error as ProvisionError
  }
  throw new Error('it was written')
}

test('writes seven files in a new folder only for its owner; keys readable only by the owner', () => {
  const directory = join(temporary, 'deep', 'certs')
  const files = writeDevelopmentChain(directory, chain)
  expect(readdirSync(directory).sort()).toEqual(names)
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  for (const key of [files.serverKey, files.intermediateKey, files.rootKey])
    expect(statSync(key).mode & 0o777).toBe(0o600)
  expect(readFileSync(files.chain, 'utf8')).toBe(chain.chain)
  expect(readFileSync(files.serverCertificate, 'utf8')).toBe(chain.leaf.certificate)
  expect(readFileSync(files.serverKey, 'utf8')).toBe(chain.leaf.key)
  expect(readFileSync(files.intermediateCertificate, 'utf8')).toBe(chain.intermediate.certificate)
  expect(readFileSync(files.intermediateKey, 'utf8')).toBe(chain.intermediate.key)
  expect(readFileSync(files.rootCertificate, 'utf8')).toBe(chain.root.certificate)
  expect(readFileSync(files.rootKey, 'utf8')).toBe(chain.root.key)
})

test('does not change the mode of an existing folder', () => {
  chmodSync(temporary, 0o755)
  writeDevelopmentChain(temporary, chain)
  expect(statSync(temporary).mode & 0o777).toBe(0o755)
})

test.each(names)('an existing %s prevents all writes', (name) => {
  writeFileSync(join(temporary, name), 'precious')
  const error = refusal(temporary)
  expect(error.code).toBe('CERTS_EXIST')
  expect(error.message).toContain(join(temporary, name))
  expect(readdirSync(temporary)).toEqual([name])
  expect(readFileSync(join(temporary, name), 'utf8')).toBe('precious')
})

test('names all existing files', () => {
  writeFileSync(join(temporary, 'root.key'), '')
  writeFileSync(join(temporary, 'chain.crt'), '')
  expect(refusal(temporary).problems[0]!.details).toEqual({
    files: [join(temporary, 'root.key'), join(temporary, 'chain.crt')],
  })
})

test('a dangling link counts as an existing file', () => {
  symlinkSync('/nowhere', join(temporary, 'server.key'))
  expect(refusal(temporary).code).toBe('CERTS_EXIST')
})

test('a path through a file is refused with the reason', () => {
  writeFileSync(join(temporary, 'file'), '')
  const error = refusal(join(temporary, 'file', 'certs'))
  expect(error.code).toBe('CERTS_NOT_WRITTEN')
  expect(error.message).toContain('ENOTDIR')
})

test('a write that fails half way leaves neither files nor folder', () => {
  const directory = join(temporary, 'certs')
  const broken = { ...chain, chain: undefined as unknown as string }
  expect(() => writeDevelopmentChain(directory, broken)).toThrow(
    expect.objectContaining({ code: 'CERTS_NOT_WRITTEN' }),
  )
  expect(readdirSync(temporary)).toEqual([])
  mkdirSync(directory)
  expect(() => writeDevelopmentChain(directory, broken)).toThrow()
  expect(readdirSync(directory)).toEqual([])
})
