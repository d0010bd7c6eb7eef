// The patterns of secrets, measured: what they find in samples, and what they report in ordinary scripts.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isSecretName } from '../../../src/platform/secret-names.ts'
import { findSecrets, maskSecrets } from '../../../src/platform/secret-shapes.ts'
import { harmlessLines, secretSamples } from '../../support/secret-corpus.ts'
import { harmlessKinds, secretKinds } from '../../support/secret-kinds.ts'
import { root } from '../../support/sources.ts'

const isFound = (text: string) => findSecrets(text).length > 0

/** All samples and all lines, by whatever hand. */
const samples = [...secretSamples, ...secretKinds]
const harmless = [...harmlessLines, ...harmlessKinds]

describe('the samples of secrets', () => {
  it('are found: at least 95 of 100, and masked in a log', () => {
    expect(samples.length).toBeGreaterThanOrEqual(300)
    const missed = samples.filter(({ text }) => !isFound(`#!/bin/bash\n${text}\n`))
    const shown = samples.filter(({ text, value }) => maskSecrets(`x\n${text}\n`).includes(value))
    expect(missed.map(({ name }) => name)).toEqual([])
    expect(shown.map(({ name }) => name)).toEqual([])
  })

  it.each([
    `ghp_${'a'.repeat(36)}`,
    `glpat-${'b'.repeat(20)}`,
    `xoxb-${'c'.repeat(12)}`,
    `hf_${'d'.repeat(34)}`,
  ])('are found where a token is all of the text, of whatever characters: %s', (token) =>
    expect(isFound(token)).toBe(true),
  )

  it('are found within base64, in one line or wrapped', () => {
    const packed = Buffer.from(`DB_HOST=pg.internal\nDB_PASSWORD=hunter${2}-x\n`).toString('base64')
    const harmlessText = Buffer.from('DB_HOST=pg.internal\nDB_NAME=runs\n').toString('base64')
    expect(maskSecrets(`content: ${packed}\n`)).toBe('content: ********\n')
    expect(maskSecrets(`base64 -d <<E\n${packed.slice(0, 40)}\n${packed.slice(40)}\nE`)).not.toContain(
      packed.slice(40),
    )
    expect(isFound(`content: ${harmlessText}\n`)).toBe(false)
  })

  it('keep what stands before a password, so that the line can still be read', () => {
    expect(maskSecrets('PASSWORD=hunter2 ./run')).toBe('PASSWORD=******** ./run')
    expect(maskSecrets('docker login -u robot -p hunter2 r.io')).toBe(
      'docker login -u robot -p ******** r.io',
    )
    expect(maskSecrets('echo hunter2 | docker login --password-stdin')).toBe(
      'echo ******** | docker login --password-stdin',
    )
  })
})

describe('lines that hold no secret', () => {
  it('are not reported: at most 2 of 100', () => {
    expect(harmless.length).toBeGreaterThanOrEqual(300)
    expect(harmless.filter(isFound)).toEqual([])
    // The log masks the names in URLs as well.
    const inUrl = /:\/\/[^/]*@/
    expect(harmless.filter((line) => !inUrl.test(line) && maskSecrets(line) !== line)).toEqual([])
  })

  it('neither are those of the scripts and templates of this repository', () => {
    const lines = scriptsBelow('templates', 'images', 'test/boot', 'test/vm', 'examples', '.ci').flatMap(
      (file) => readFileSync(file, 'utf8').split('\n'),
    )
    expect(lines.length).toBeGreaterThan(1000)
    expect(lines.filter(isFound)).toEqual([])
  })
})

describe('the name of a setting', () => {
  it.each([
    'password',
    'http_password',
    'auth_token',
    'API_KEY',
    'db_pw',
    'wifi_psk',
    'dbPassword',
    'access_key',
  ])('%s is that of a secret', (name) => expect(isSecretName(name)).toBe(true))

  it.each(['master_cert', 'ssh_key_name', 'clientToken', 'token_file', 'monkey', 'bypass', 'key', 'tokens'])(
    '%s is none',
    (name) => expect(isSecretName(name)).toBe(false),
  )
})

describe('a long text', () => {
  it('with a thousand different passwords is masked in a time that grows with its length alone', () => {
    const lines = (count: number) =>
      Array.from({ length: count }, (_, n) => `PASSWORD=zq${n}xW9\ntool zq${n}xW9\n`).join('')
    const cost = (count: number) => {
      const text = lines(count)
      const before = process.cpuUsage()
      expect(maskSecrets(text)).not.toMatch(/zq\d/)
      return process.cpuUsage(before).user / 1000
    }
    cost(1000)
    const short = cost(4000)
    expect(cost(32_000)).toBeLessThan(Math.max(short, 20) * 16)
  })

  it.each([
    'echo a | ',
    'password=',
    'password a b c ',
    'name: password value ',
    'docker login --password-stdin <<<',
    'sed s/password/',
    'user = a.login("x", ',
    'chpasswd <<EOF\n',
    'vault kv put x a=b1 ',
    'password: |\n  ',
    'sed -i s|__PASSWORD__|',
    '"token": \\"',
    'a://b:',
    'curl -u ',
    '-----BEGIN PRIVATE KEY-----',
  ])('is read in a time that grows with its length alone: %s', (run) => {
    const cost = (length: number) => {
      const text = run.repeat(Math.ceil(length / run.length))
      const before = process.cpuUsage()
      findSecrets(text)
      return process.cpuUsage(before).user / 1000
    }
    cost(1000)
    const short = cost(20_000)
    // Eight times the length; a quadratic pattern would take 64 times as long.
    expect(cost(160_000)).toBeLessThan(Math.max(short, 20) * 24)
  })
})

function scriptsBelow(...folders: string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => join(root, folder, name))
      .filter((file) => !file.includes('node_modules') && statSync(file).isFile())
      .filter((file) => /\.(?:sh|hbs|yaml|yml|service)$|\/run$|Containerfile/.test(file)),
  )
}
