// `provision agents-ca`: the CA from its creation to the end of a rotation, with and beside a provisioner.
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StateStore } from '../../../src/state/store.ts'
import { agentsCaSpec } from '../../support/instance-certificates.ts'
import { runCliAside } from '../../support/run-cli.ts'
import { storeIn } from '../../support/state-store.ts'
import { authority } from '../../support/x509-profiles.ts'

let folder: string
let stateDir: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-agents-ca-'))
  stateDir = join(folder, 'state')
  writeFileSync(
    join(folder, 'master.yaml'),
    `state_dir: ${stateDir}\nresource_pools: [{pool_name: here, provider: {type: local}}]\n`,
  )
})
afterAll(() => rmSync(folder, { recursive: true }))

const agentsCa = (...args: string[]) => runCliAside(['agents-ca', ...args], { cwd: folder })
const bundle = () => readFileSync(join(stateDir, 'agents-ca.pem'), 'utf8')
const shown = async () => JSON.parse((await agentsCa('show', '--format', 'json')).stdout)

/** As a running provisioner has it, if `isRunning`. */
async function holding<T>(isRunning: boolean, work: (store: StateStore) => Promise<T>): Promise<T> {
  const store = storeIn(stateDir)
  const release = isRunning ? await store.hold({ onLost() {} }) : () => {}
  try {
    return await work(store)
  } finally {
    await release()
  }
}

describe("the agents' CA", () => {
  it('is missing at first: nothing is written', async () => {
    const { status, stderr } = await agentsCa()
    expect([status, stderr]).toEqual([3, expect.stringContaining('AGENTS_CA_MISSING')])
    expect(() => bundle()).toThrow('ENOENT')
  })

  it('is created once, and shown with its SHA-256, expiry and file', async () => {
    const { status, stderr } = await agentsCa('init')
    expect([status, stderr]).toEqual([0, expect.stringContaining(join(stateDir, 'agents-ca.pem'))])
    const again = await agentsCa('init')
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining('AGENTS_CA_EXISTS')])
    const certificate = new X509Certificate(bundle())
    const sha256 = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
    expect(await shown()).toEqual({
      file: join(stateDir, 'agents-ca.pem'),
      authorities: [
        {
          role: 'issuing',
          subject: expect.stringMatching(/^O=Agent provisioner, CN=Agents CA [0-9a-f]{6}$/),
          sha256,
          expiresAt: certificate.validToDate.toISOString(),
        },
      ],
    })
    const text = await agentsCa('show')
    expect(text.stdout).toContain(sha256)
    expect(text.stderr).toContain(join(stateDir, 'agents-ca.pem'))
    expect([text.stdout, text.stderr].join()).not.toContain('PRIVATE')
  })

  it.each([false, true])('is rotated in three steps, beside a provisioner: %s', async (isRunning) => {
    await holding(isRunning, async ({ join: store }) => {
      const before = (await shown()).authorities[0].sha256
      expect((await agentsCa('rotate', '--activate')).stderr).toContain('AGENTS_CA_ROTATION')
      expect((await agentsCa('rotate')).status).toBe(0)
      expect(bundle().match(/BEGIN/g)).toHaveLength(2)
      expect((await agentsCa('rotate', '--activate')).status).toBe(0)
      const show = await agentsCa('show')
      expect(show.stderr).toContain('next step: provision agents-ca rotate --finish')
      const [old] = (await shown()).authorities
      expect(old).toMatchObject({ role: 'previous', sha256: before })

      const key = '1'.repeat(64)
      const times = { boundAt: 1, expiresAt: Date.now() + 60_000 }
      await store.bind({ instance: 'i-1', pool: 'here', key, issuer: old.sha256, ...times })
      const refused = await agentsCa('rotate', '--finish')
      expect([refused.status, refused.stderr]).toEqual([
        1,
        expect.stringMatching(/AGENTS_CA_IN_USE[\s\S]*i-1/),
      ])
      const until = await agentsCa('reissue', 'i-1')
      expect([until.status, until.stderr]).toEqual([
        0,
        expect.stringContaining('i-1 may join with another key until'),
      ])
      expect((await store.binding('i-1'))!.reissueUntil).toBeGreaterThan(Date.now() + 3_500_000)
      await store.removeBindings(['i-1'])

      expect((await agentsCa('rotate', '--finish')).status).toBe(0)
      expect(bundle().match(/BEGIN/g)).toHaveLength(1)
      expect((await shown()).authorities[0].sha256).not.toBe(before)
    })
  })

  it('refuses what is no command, and an instance that is not known', async () => {
    expect((await agentsCa('rotate', '--activate', '--finish')).status).toBe(2)
    expect((await agentsCa('reissue')).status).toBe(2)
    const unknown = await agentsCa('reissue', 'i-2')
    expect([unknown.status, unknown.stderr]).toEqual([1, expect.stringContaining('JOIN_BINDING_UNKNOWN')])
  })
})

describe('a CA in files of the user', () => {
  const own = authority('Own CA', agentsCaSpec)
  const inFiles = (...args: string[]) =>
    runCliAside(['agents-ca', ...args, '-c', 'files.yaml'], { cwd: folder })
  beforeAll(() => {
    writeFileSync(join(folder, 'own.crt'), own.pem)
    writeFileSync(join(folder, 'own.key'), own.key.pem, { mode: 0o600 })
    writeFileSync(
      join(folder, 'files.yaml'),
      `state_dir: ${stateDir}\nsecurity: {tls: {cert: own.crt, key: own.key}}\nagents_ca: {certificate_file: own.crt, key_file: own.key}\nresource_pools: [{pool_name: here, provider: {type: local, join: required}}]\n`,
    )
  })

  it('is the one that is shown, whatever is in the state', async () => {
    const { status, stdout } = await inFiles('show', '--format', 'json')
    const { authorities } = JSON.parse(stdout)
    expect([status, authorities]).toEqual([
      0,
      [expect.objectContaining({ role: 'issuing', subject: 'CN=Own CA' })],
    ])
    expect(new X509Certificate(bundle()).subject).toBe('CN=Own CA')
  })

  it.each([[['init']], [['rotate']], [['rotate', '--activate']]])('is not changed by %s', async (args) => {
    const before = await shown()
    const { status, stderr } = await inFiles(...args)
    expect([status, stderr]).toEqual([2, expect.stringMatching(/AGENTS_CA_IS_FILE .*own\.crt/)])
    expect(await shown()).toEqual(before)
  })
})

describe('a CA with its key in a token', () => {
  const own = authority('Own CA', agentsCaSpec)
  const inToken = (...args: string[]) =>
    runCliAside(['agents-ca', ...args, '-c', 'token.yaml'], { cwd: folder })
  beforeAll(() => {
    writeFileSync(join(folder, 'own.pem'), own.pem)
    writeFileSync(join(folder, 'pin'), '1234\n', { mode: 0o600 })
    writeFileSync(join(folder, 'module.so'), '')
    writeFileSync(
      join(folder, 'token.yaml'),
      `state_dir: ${stateDir}\nsecurity: {tls: {cert: own.pem}}\nagents_ca: {certificate_file: own.pem, pkcs11: {module: module.so, token: provision, label: ca-key, pin_file: pin}}\nresource_pools: [{pool_name: here, provider: {type: local, join: required}}]\n`,
    )
  })

  it('is shown, with where its key is', async () => {
    const { status, stdout, stderr } = await inToken('show')
    expect([status, stdout]).toEqual([0, expect.stringContaining('CN=Own CA')])
    expect(stderr).toContain('its key is ca-key in token provision')
  })

  it.each([[['init']], [['rotate']], [['rotate', '--activate']]])('is not changed by %s', async (args) => {
    const { status, stderr } = await inToken(...args)
    expect([status, stderr]).toEqual([2, expect.stringMatching(/AGENTS_CA_IS_FILE .*own\.pem/)])
  })
})
