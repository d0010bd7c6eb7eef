// What the join endpoint knows of instances, and whom the master admits by what it read last of the bindings and of the CA.
import { createPublicKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Listener, listen } from '../../../src/http/listen.ts'
import type { LaunchedInstance } from '../../../src/join/index.ts'
import { issueTo, openAgentsCa } from '../../../src/join/issuer.ts'
import { activateNext, allowReissue, startRotation } from '../../../src/join/rotation.ts'
import type { ProofRequest } from '../../../src/providers/index.ts'
import { type Joins, type JoinsOptions, openJoins } from '../../../src/provisioner/joins.ts'
import type { Binding, JoinStore, Revised } from '../../../src/state/index.ts'
import { ask } from '../../support/ask.ts'
import { type CapturingLogger, capturingLogger } from '../../support/capturing-logger.ts'
import { loadConfig } from '../../support/config.ts'
import { challengeFor, csrOf } from '../../support/csr.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { launched, wordVerifier } from '../../support/join-service.ts'
import { storeIn } from '../../support/state-store.ts'
import { type TestKey, testKey } from '../../support/test-keys.ts'
import { dns } from '../../support/x509-extensions.ts'
import { server as serverCertificate } from '../../support/x509-profiles.ts'

const id = 'local-00000000-1'
const keys = { first: testKey('p256', 'joins first'), second: testKey('p256', 'joins second') }
const certificate = serverCertificate(undefined, { names: [dns('master.test')] })

interface World {
  dir: string
  clock: FakeClock
  /** Metrics: name, outcome and code. */
  counted: string[]
  store: JoinStore
  joins: Joins
  listener: Listener
  /** Of pools that run here. */
  here: Map<string, LaunchedInstance>
  runs: Set<string>
  published: { pools: unknown[]; problems: unknown[] }
  /** Waits with the next reading of all bindings until it is called. */
  pause(): () => void
  /** Waits with the next proofs until it is called. */
  hold(): () => void
  /** Begin of the newest complete listing of the pools that run here; undefined: what it shows is not certain. */
  listing: { at: number | undefined }
  /** What verifiers were asked, and which were prepared. */
  asked: ProofRequest[]
  prepared: string[]
  logger: CapturingLogger
}

let world: World
beforeEach(async () => {
  world = await open()
})
afterEach(async () => {
  world.joins.close()
  await world.listener.close(0)
  rmSync(world.dir, { recursive: true, force: true })
})

async function open(): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'joins-'))
  const clock = new FakeClock(Date.now())
  const logger = capturingLogger()
  const file = join(dir, 'master.yaml')
  const pool = (name: string, more: string) => `  - {pool_name: ${name}, ${more}}\n`
  const local = (more: string) => `provider: {type: local${more}}`
  writeFileSync(
    file,
    `security: {tls: {cert: a, key: b}}\nresource_pools:\n${pool('gpu', local(', join: required'))}${pool('cpu', local(''))}${pool('open', 'agents: any')}`,
  )
  const { config, problems } = loadConfig(file)
  if (!config) throw new Error(JSON.stringify(problems))
  const here = new Map([[id, launched(id)]])
  const runs = new Set(['gpu', 'cpu'])
  const published = { pools: [], problems: [] } as World['published']
  const counted: string[] = []
  let waiting = Promise.resolve()
  const { join: real } = storeIn(dir, clock)
  const store = {
    ...real,
    async bindings(): Promise<Revised<Binding>[]> {
      const found = await real.bindings()
      await waiting
      return found
    },
  }
  const asked: ProofRequest[] = []
  const word = wordVerifier(asked)
  const prepared: string[] = []
  let held = Promise.resolve()
  const verifier: typeof word = {
    ...word,
    async verify(...request) {
      await word.verify(...request)
      await held
    },
    async prepare() {
      prepared.push('word')
      throw new Error('it cannot be loaded')
    },
  }
  const local2 = {
    kind: 'local',
    joinProofs: () => [verifier, { ...word, prepare: async () => void prepared.push('second') }, word],
  }
  const listing: World['listing'] = { at: clock.now() }
  const plan = (name: string) => ({
    pool: config.resource_pools.find(({ pool_name }) => pool_name === name),
    setup: name === 'gpu' ? { join: { url: 'https://x' } } : {},
  })
  const joins = await openJoins({
    config,
    store,
    plans: { names: ['gpu', 'cpu'], get: plan, ownerOf: () => ({}) },
    running: {
      launched: (of: string) => here.get(of),
      isRunning: (name: string) => runs.has(name),
      mayJoin: (name: string, of: string) =>
        runs.has(name) ? (here.get(of)?.pool === name ? 'yes' : 'no') : 'later',
      unlistedAt: (name: string, of: string) => (runs.has(name) && !here.has(of) ? listing.at : undefined),
    },
    elsewhere: () => ({ pools: async () => published }),
    providers: [local2],
    env: {},
    clock,
    logger,
    metrics: {
      count: (name: string, labels: Record<string, string>) =>
        counted.push([name, labels['outcome'], labels['code']].join(' ')),
    },
  } as unknown as JoinsOptions)
  const listener = await listen({
    ...{ address: '127.0.0.1', port: 0, handlers: [joins.handler], logger },
    tls: { cert: certificate.pem, key: certificate.key.pem, clientCas: { agents: joins.agentsCa() } },
  })
  const pause = () => {
    let go = () => {}
    waiting = new Promise((resolve) => {
      go = resolve
    })
    return go
  }
  const hold = () => {
    let go = () => {}
    held = new Promise((resolve) => {
      go = resolve
    })
    return go
  }
  return {
    dir,
    clock,
    store,
    joins,
    listener,
    here,
    runs,
    published,
    counted,
    pause,
    hold,
    listing,
    asked,
    prepared,
    logger,
  }
}

async function join1(key: TestKey = keys.first, of = id) {
  const to = { port: world.listener.port, ca: certificate.pem }
  const { nonce } = (await ask('GET', challengeFor(key), to)).value
  const csr = csrOf({ subject: of, key }).toString('base64')
  const answer = ask('POST', '/v1/join', to, { id: of, nonce, csr, proof: { kind: 'word', of, nonce } })
  // A refusal is sent half a second after its request.
  let isOver = false
  const over = () => {
    isOver = true
  }
  answer.then(over, over)
  while (!isOver) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    await world.clock.advance(10)
  }
  return answer
}

async function shown(key: TestKey, of = id): Promise<X509Certificate> {
  const now = Date.now()
  const ca = await openAgentsCa(world.store).current()
  const publicKey = createPublicKey(key.privateKey)
  return new X509Certificate(await issueTo(ca, { id: of, publicKey, now, expiresAt: now + 600_000 }))
}

const admission = async (key: TestKey, pool = 'gpu') => world.joins.rules.mayJoin(id, pool, await shown(key))
const settled = () => new Promise((resolve) => setTimeout(resolve, 100))

/** The answer once the bindings were read again. */
async function decided(key: TestKey, pool?: string): Promise<string> {
  await admission(key, pool)
  await settled()
  return admission(key, pool)
}

describe('the master', () => {
  it('admits the key that is bound, and no other', async () => {
    expect((await join1()).status).toBe(200)
    expect(await decided(keys.first)).toBe('yes')
    expect(await decided(keys.second)).toBe('no')
  })

  it('admits nobody with an old key once a new one is bound here, however short ago bindings were read', async () => {
    await join1()
    expect(await decided(keys.first)).toBe('yes')
    await allowReissue(world.store, id, Date.now())
    expect(await admission(keys.first)).toBe('yes')
    expect((await join1(keys.second)).status).toBe(200)
    expect(await admission(keys.first)).not.toBe('yes')
    expect(await decided(keys.second)).toBe('yes')
    expect(await admission(keys.first)).toBe('no')
  })

  it('does not take a reading that began before the new key was bound for the truth', async () => {
    await join1()
    expect(await decided(keys.first)).toBe('yes')
    await allowReissue(world.store, id, Date.now())
    await world.clock.advance(2_000)
    const go = world.pause()
    // Begins to read.
    await admission(keys.second)
    await settled()
    await world.clock.advance(100)
    expect((await join1(keys.second)).status).toBe(200)
    go()
    await settled()
    expect(await admission(keys.first)).not.toBe('yes')
    expect(await decided(keys.second)).toBe('yes')
  })

  it('admits an old key no longer than its interval after another provisioner has bound a new one', async () => {
    await join1()
    expect(await decided(keys.first)).toBe('yes')
    const found = (await world.store.binding(id))!
    const { revision: _, ...binding } = found
    const key = 'f'.repeat(64)
    expect(await world.store.replaceBinding({ ...binding, key }, found)).toBe(true)
    await world.clock.advance(5_000)
    await settled()
    expect(await admission(keys.first)).toBe('no')
  })

  it('does not lose a key by a renewal while bindings cannot be read', async () => {
    await join1()
    expect(await decided(keys.first)).toBe('yes')
    world.pause()
    await join1()
    await world.clock.advance(10_000)
    expect(await admission(keys.first)).toBe('yes')
  })

  it('refuses an instance in every pool but its own, without delay', async () => {
    await join1()
    await decided(keys.first)
    for (const pool of ['cpu', 'open', 'none']) expect(await admission(keys.first, pool)).toBe('no')
    world.runs.delete('cpu')
    expect(await admission(keys.first, 'cpu')).toBe('no')
  })

  it('knows the new CA as soon as the endpoint issues from it', async () => {
    const changes: string[] = []
    world.joins.onChange((pem) => void changes.push(pem))
    await startRotation(world.store, Date.now())
    await activateNext(world.store)
    const { value } = await join1()
    const presented = new X509Certificate(value.certificate)
    expect(changes.at(-1)).toBe(value.ca)
    world.joins.rules.mayJoin(id, 'gpu', presented)
    await settled()
    expect(world.joins.rules.mayJoin(id, 'gpu', presented)).toBe('yes')
  })
})

describe('an instance that is not known', () => {
  it('is refused when all pools with join are', async () => {
    expect((await join1(keys.first, 'local-ffffffff-1')).status).toBe(403)
    expect(world.counted).toContain('joins refused JOIN_INSTANCE_UNKNOWN')
  })

  it('is asked to come again while its pool may be starting here', async () => {
    world.runs.delete('gpu')
    world.here.clear()
    expect((await join1()).status).toBe(503)
    // One that requires nothing is waited for by nobody.
    world.runs.add('gpu').delete('cpu')
    expect((await join1()).status).toBe(403)
  })

  it('is known from another provisioner, or asked to come again while nothing of it can be read', async () => {
    world.runs.delete('gpu')
    world.here.clear()
    const instance = { id, pool: 'gpu', zone: 'z', launchedAt: 1, state: 'running' }
    world.published.pools = [{ details: { pool: 'gpu' }, instances: [instance] }]
    world.published.problems = []
    expect((await join1()).status).toBe(200)
    world.published.pools = []
    world.published.problems = [{}]
    await world.clock.advance(2_001)
    expect((await join1()).status).toBe(503)
    world.published.pools = [{ details: { pool: 'gpu' }, instances: [] }]
    world.published.problems = []
    await world.clock.advance(2_001)
    expect((await join1()).status).toBe(403)
  })
})

it('what verifies proofs is loaded when that is asked for, whatever cannot be loaded is reported', async () => {
  expect(world.prepared).toEqual([])
  await world.joins.prepare()
  expect(world.prepared).toEqual(['word', 'second'])
  expect(world.logger.lines.join()).toMatch(
    /warn what verifies join proofs could not be loaded .*it cannot be loaded/,
  )
  expect((await join1()).status).toBe(200)
  expect(world.prepared).toEqual(['word', 'second'])
})

describe('a binding that is left over', () => {
  const minutes = 60_000
  const bound = async (of = id) => (await world.store.binding(of)) !== undefined
  /** A complete listing, and what follows from it. */
  async function list(after: number): Promise<void> {
    await world.clock.advance(after - 10_000)
    await settled()
    world.listing.at = world.clock.now()
    await world.clock.advance(10_000)
    await settled()
  }

  it('of a join that was decided while its instance was terminated is dropped', async () => {
    const go = world.hold()
    const joining = join1()
    await expect.poll(() => world.asked.length).toBe(1)
    world.here.clear()
    world.joins.forget([id])
    await settled()
    go()
    await joining
    expect(await bound()).toBe(true)
    await list(1 * minutes)
    expect(await bound()).toBe(true)
    await list(11 * minutes)
    expect(await bound()).toBe(false)
  })

  it('of an instance that ended by itself, or whose removal failed, is dropped', async () => {
    await join1()
    world.here.clear()
    await list(1 * minutes)
    await list(11 * minutes)
    expect(await bound()).toBe(false)
  })

  it('stays while its instance is known, or may be', async () => {
    await join1()
    for (let n = 0; n < 3; n++) await list(30 * minutes)
    world.here.clear()
    world.listing.at = undefined
    await world.clock.advance(30 * minutes)
    await settled()
    world.runs.clear()
    for (let n = 0; n < 3; n++) await list(30 * minutes)
    expect(await bound()).toBe(true)
  })
})
