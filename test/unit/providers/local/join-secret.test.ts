// The proof `local-secret`: passed to the process, kept as a hash, verified after a restart.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Provider } from '../../../../src/providers/contract.ts'
import { local } from '../../../../src/providers/local/definition.ts'
import type { LocalConfig } from '../../../../src/providers/local/request.ts'
import { intentOf } from '../../../support/cloud-pools.ts'
import {
  formMutants,
  joinContext,
  joinRequest,
  messageOf,
  textMutants,
  verdictOf,
} from '../../../support/join-proofs/requests.ts'
import { type LocalPool, localPool } from '../../../support/local-pool.ts'

const config = { type: 'local', slots: 1, join: { proof: 'required' } } as LocalConfig
/** Writes the secret where only the test looks for it. */
const script =
  'echo "$PROVISION_JOIN_SECRET" > "$PROVISION_ROOT/secret.part"; mv "$PROVISION_ROOT/secret.part" "$PROVISION_ROOT/secret"; exec sleep 300\n'

let pool: LocalPool
let provider: Provider
beforeEach(async () => {
  pool = localPool()
  provider = await pool.open({ config })
})
afterEach(() => pool.dispose())

/** As a provisioner that has just started would verify it. */
const verifier = (owner = pool.owner) => {
  const [found, ...others] = local.joinProofs!(config, joinContext({ owner, stateDir: pool.dir }))
  expect(others).toEqual([])
  return found!
}

async function launch(from = provider, count = 1): Promise<{ id: string; secret: string }[]> {
  const { instances, failures } = await from.launch(pool.order(script, count))
  expect(failures).toEqual([])
  const found: { id: string; secret: string }[] = []
  for (const { id } of instances) {
    const file = pool.file(id, 'secret')
    await expect.poll(() => existsSync(file)).toBe(true)
    found.push({ id, secret: readFileSync(file, 'utf8').trim() })
  }
  return found
}

async function launchOne(from?: Provider) {
  const [one] = await launch(from)
  return one!
}

const asked = (id: string, secret: unknown) => joinRequest({ kind: 'local-secret', secret }, { id })

describe('the secret of a local instance', () => {
  it('is accepted, as often as an answer is lost', async () => {
    const { id, secret } = await launchOne()
    expect(secret).toMatch(/^[\w-]{43}$/)
    const one = verifier()
    expect(one.kind).toBe('local-secret')
    for (const _ of [1, 2]) expect(await messageOf(one, asked(id, secret))).toBe('accepted')
  })

  it('is in no file that the provisioner writes', async () => {
    const { id, secret } = await launchOne()
    const written = readdirSync(pool.root(id)).filter((name) => name !== 'secret')
    expect(written).toContain('vm.json')
    for (const name of written) expect(readFileSync(join(pool.root(id), name), 'utf8')).not.toContain(secret)
    expect(pool.record(id).joinSecretHash).toMatch(/^[0-9a-f]{64}$/)
    expect(statSync(pool.file(id, 'vm.json')).mode & 0o077).toBe(0)
  })

  it('is another for each instance, and of no use for another one', async () => {
    const [a, b] = (await launch(provider, 2)) as [
      { id: string; secret: string },
      { id: string; secret: string },
    ]
    expect(a.secret).not.toBe(b.secret)
    expect(await messageOf(verifier(), asked(b.id, a.secret))).toBe(
      `JOIN_PROOF_OTHER: join proof local-secret is of another sender: the secret is that of instance ${a.id}, not of ${b.id}`,
    )
  })

  it('is not of another pool or cluster', async () => {
    const { id, secret } = await launchOne()
    for (const other of [{ pool: 'other' }, { clusterId: 'other' }])
      expect(await verdictOf(verifier({ ...pool.owner, ...other }), asked(id, secret))).toBe(
        'JOIN_PROOF_INVALID',
      )
  })

  it('ends with the instance', async () => {
    const { id, secret } = await launchOne()
    await provider.terminate([id])
    await expect.poll(() => pool.record(id).ended).toBeDefined()
    expect(await verdictOf(verifier(), asked(id, secret))).toBe('JOIN_PROOF_INVALID')
  })

  it('with any other character is refused, and never shown', async () => {
    const { id, secret } = await launchOne()
    const mutants = [
      ...textMutants(secret),
      ...Array.from({ length: 200 }, (_, n) => Buffer.from(`${n}`.padStart(32, 'x')).toString('base64url')),
    ]
    expect(mutants.length).toBeGreaterThan(350)
    for (const mutant of mutants) {
      const message = await messageOf(verifier(), asked(id, mutant))
      expect([mutant, message.split(':')[0]]).toEqual([mutant, 'JOIN_PROOF_INVALID'])
      if (mutant.length > 20) expect(message).not.toContain(mutant)
    }
    for (const mutant of formMutants({ kind: 'local-secret', secret }))
      expect([mutant, await verdictOf(verifier(), joinRequest(mutant, { id }))]).toEqual([
        mutant,
        'JOIN_PROOF_INVALID',
      ])
  })

  it.each(['local-00000000-1', 'local-00000000-0', '../local-00000000-1', '', 'i-0123456789abcdef0'])(
    'is refused for %j, which does not exist',
    async (id) => {
      const { secret } = await launchOne()
      expect(await verdictOf(verifier(), asked(id, secret))).toMatch(/^JOIN_PROOF_(INVALID|OTHER)$/)
    },
  )

  it('is unchecked while the record cannot be read', async () => {
    const { id, secret } = await launchOne()
    const file = pool.file(id, 'vm.json')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, '{')
    expect(await verdictOf(verifier(), asked(id, secret))).toBe('JOIN_PROOF_UNCHECKED')
    writeFileSync(file, text)
    expect(await messageOf(verifier(), asked(id, secret))).toBe('accepted')
  })
})

describe('a pool that requires no proof', () => {
  it('has no secret, so that nothing is accepted', async () => {
    const { id, secret } = await launchOne(await pool.open())
    expect(secret).toBe('')
    expect(pool.record(id)).not.toHaveProperty('joinSecretHash')
    for (const sent of ['', 'x'.repeat(43)])
      expect(await verdictOf(verifier(), asked(id, sent))).toBe('JOIN_PROOF_INVALID')
  })
})

it('the dry run names the variable', () => {
  const environmentOf = (one: LocalConfig) =>
    local.request({ config: one, owner: pool.owner, intent: intentOf([]), setup: {} as never }).body[
      'environment'
    ]
  expect(environmentOf(config)).toContain('PROVISION_JOIN_SECRET')
  expect(environmentOf({ ...config, join: { proof: 'off' } })).not.toContain('PROVISION_JOIN_SECRET')
})
