// More than a thousand hostile joins against a join endpoint in a process of its own: nobody gets a certificate, nobody learns why, and
// the endpoint stays what it was.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { httpMutants, mutants } from '../../support/hostile-joins/mutants.ts'
import { ids } from '../../support/hostile-joins/settings.ts'
import { type Joined, joinAll, joinedIds, threats } from '../../support/hostile-joins/threats.ts'
import {
  documentProofOf,
  type Hostile,
  hostileWorld,
  type Reply,
  secretProofOf,
  stsProofOf,
  tokenProofOf,
} from '../../support/hostile-joins/world.ts'
import { testKey } from '../../support/test-keys.ts'

const unlimited = { burst: 1e6, perSecond: 1e6 }
let world: Hostile
let joined: Joined
beforeAll(async () => {
  world = await hostileWorld({ perAddress: unlimited, overall: unlimited, refusalAfter: 0 })
  joined = await joinAll(world)
})
afterAll(() => world?.close())

const refusal = { status: 403, text: '{"code":"JOIN_REFUSED","message":"refused"}' }
/** Answers that are not the refusal, by what they were given to. */
const others: string[] = []
const [heads, took] = [new Set<string>(), [] as number[]]
let sent = 0
/** Joins of instances whose proofs are stolen afterwards. */
const stolenFrom = 2

function judge(name: string, { status, text, head }: Reply): void {
  sent++
  heads.add(head)
  if (status !== refusal.status || text !== refusal.text)
    others.push(`${status} ${text.slice(0, 80)} ${name}`)
}

/** Some at once, as attackers do not wait for each other. */
async function inParallel(work: (() => Promise<void>)[], lanes = 16): Promise<void> {
  const left = [...work]
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let one = left.shift(); one; one = left.shift()) await one()
    }),
  )
}

it('a thousand joins of every row and mutated requests are refused alike', async () => {
  const before = await world.report()
  const attacks = [...threats(world, joined), ...mutants(world, joined)]
  await inParallel(
    attacks.map(({ row, name, run }) => async () => {
      const start = performance.now()
      judge(`${row}: ${name}`, await run())
      took.push(performance.now() - start)
    }),
  )
  const after = await world.report()
  const times = took.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)]!.toFixed(0)
  console.log(
    `${sent} hostile joins: ${others.length} not refused; median ${at(0.5)} ms, p99 ${at(0.99)} ms; event loop worst ${after.worst.toFixed(1)} ms, p99 ${after.p99.toFixed(1)} ms; heap ${mb(before.heapUsed)} -> ${mb(after.heapUsed)} MB, rss ${mb(before.rss)} -> ${mb(after.rss)} MB; ${after.log.length} log lines; ${JSON.stringify(after.outcomes)}`,
  )
  expect(others).toEqual([])
  expect(heads.size).toBe(1)
  expect(sent).toBeGreaterThan(1_000)
  expect(after.outcomes['issued']).toBe(joinedIds.length + stolenFrom)
  expect(after.bindings.map(({ instance }) => instance).sort()).toEqual(joinedIds.toSorted())
  expect(after.heapUsed - before.heapUsed).toBeLessThan(50e6)
  expect(after.worst).toBeLessThan(50)
  expect(after.log.length).toBeLessThan(120)
})

it('no line of HTTP is answered with a certificate, and all are answered', async () => {
  const answers: string[] = []
  await inParallel(
    httpMutants().map(([name, bytes]) => async () => {
      const text = await world.raw(bytes)
      answers.push(`${/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]} ${name}`)
      expect(text, name).not.toContain('BEGIN CERTIFICATE')
    }),
  )
  console.log(
    `${answers.length} lines of HTTP: ${JSON.stringify(counted(answers.map((one) => one.slice(0, 3))))}`,
  )
  // A challenge is no secret: HEAD and GET of it are answered, for a key.
  const allowed =
    /^(100|400|403|404|405|408|413|431|501|505) |^200 (GET|HEAD) \/v1\/join\/challenge\?key=0{64}$/
  expect(answers.filter((one) => !allowed.test(one))).toEqual([])
})

describe('fifty at once', () => {
  const cases = {
    aws: [ids.aws, (nonce: string) => stsProofOf(nonce)],
    gcp: [ids.gcp, (nonce: string) => tokenProofOf(nonce)],
    local: [ids.local, () => secretProofOf(world.secrets[ids.local]!)],
    awsDocument: [ids.awsDocument, () => documentProofOf()],
  } as const
  const fifty = Array.from({ length: 50 }, (_, n) => testKey('p256', `race ${n}`))

  it.each(Object.entries(cases))(
    'with good proofs for %s take nothing from the one that was first',
    async (name, [id, proof]) => {
      const replies = await Promise.all(fifty.map((key) => world.join({ id, key, proof })))
      for (const reply of replies) judge(`race for ${name}`, reply)
      expect(others).toEqual([])
      const key = joined.keys[name as keyof typeof cases]
      const cert = joined.certificates[name as keyof typeof cases]
      expect((await world.renew({ cert, key: key.pem }, key, id)).status).toBe(200)
    },
  )

  it.each([
    ['aws', ids.awsFresh, () => documentProofOf({ instanceId: ids.awsFresh })],
    ['gcp', ids.gcpFresh, (nonce: string) => tokenProofOf(nonce, { instance_name: ids.gcpFresh })],
    ['local', ids.localFresh, () => secretProofOf(world.secrets[ids.localFresh]!)],
  ])('for an instance of %s that has none yet: one gets a certificate', async (_, id, proof) => {
    const replies = await Promise.all(fifty.map((key) => world.join({ id, key, proof })))
    expect(counted(replies.map(({ status }) => String(status)))).toEqual({ 200: 1, 403: 49 })
    const { bindings } = await world.report()
    expect(bindings.filter(({ instance }) => instance === id)).toHaveLength(1)
  })

  it('with one nonce: one gets a certificate', async () => {
    const key = joined.keys.aws
    const nonce = await world.nonce(key)
    const replies = await Promise.all(fifty.map(() => world.join({ key, nonce, proof: stsProofOf(nonce) })))
    expect(counted(replies.map(({ status }) => String(status)))).toEqual({ 200: 1, 403: 49 })
  })
})

describe('with the limits that everybody has', () => {
  let usual: Hostile
  beforeAll(async () => {
    usual = await hostileWorld({})
    await joinAll(usual)
  })
  afterAll(() => usual?.close())

  it('a refusal takes as long for an instance as for a name that is none', async () => {
    const kinds = {
      unknown: () => usual.join({ id: ids.nobody, proof: (n: string) => stsProofOf(n, 'unknown') }),
      gone: () => usual.join({ id: ids.gone, proof: (n: string) => stsProofOf(n, 'gone') }),
      known: () => usual.join({ id: ids.aws, proof: (n: string) => stsProofOf(n, 'other') }),
      fresh: () => usual.join({ id: ids.awsFresh, proof: (n: string) => stsProofOf(n, 'other') }),
    }
    const medians: Record<string, number> = {}
    for (const [name, run] of Object.entries(kinds)) {
      const times = await Promise.all(
        Array.from({ length: 15 }, async () => {
          const start = performance.now()
          expect((await run()).status).toBe(403)
          return performance.now() - start
        }),
      )
      medians[name] = Math.round(times.sort((a, b) => a - b)[7]!)
      expect(times[0]).toBeGreaterThan(499)
    }
    console.log(`milliseconds to a refusal: ${JSON.stringify(medians)}`)
  })

  it('a flood from a few addresses keeps no instance from its certificate, and costs little', async () => {
    const before = await usual.report()
    const statuses: number[] = []
    const end = Date.now() + 10_000
    const bodies = [
      '{}',
      'x',
      JSON.stringify({ id: ids.aws, nonce: 'A'.repeat(72), csr: 'AAAA', proof: { kind: 'aws-sts' } }),
    ]
    const flood = Array.from({ length: 32 }, async (_, n) => {
      for (let i = 0; Date.now() < end; i++) {
        const from = `127.0.1.${n % 8}`
        // Most ask for challenges only, which are answered without delay.
        const body = n < 8 ? bodies[i % 3] : undefined
        const { status } = await (body === undefined
          ? usual.send('GET', `/v1/join/challenge?key=${'0'.repeat(64)}`, undefined, { from })
          : usual.send('POST', '/v1/join', body, { from }))
        statuses.push(status)
      }
    })
    // Time enough for all buckets to be empty.
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    const joins = await Promise.all(
      [ids.awsFresh, ids.gcpFresh].map((id, n) =>
        usual.join({
          ...{ id, from: `127.0.2.${n + 1}`, key: testKey('p256', `calm ${n}`) },
          proof: (nonce: string) =>
            id === ids.gcpFresh
              ? tokenProofOf(nonce, { instance_name: id })
              : documentProofOf({ instanceId: id }),
        }),
      ),
    )
    await Promise.all(flood)
    const after = await usual.report()
    const found = counted(statuses.map(String))
    console.log(
      `flood: ${JSON.stringify(found)}; event loop worst ${after.worst.toFixed(1)} ms, p99 ${after.p99.toFixed(1)} ms; heap ${mb(before.heapUsed)} -> ${mb(after.heapUsed)} MB; ${after.log.length - before.log.length} more log lines`,
    )
    // The document is refused because of the address; the token is not.
    expect(joins.map(({ status }) => status)).toEqual([403, 200])
    expect(found['429']).toBeGreaterThan(0)
    expect(after.heapUsed - before.heapUsed).toBeLessThan(50e6)
    expect(after.worst).toBeLessThan(50)
    expect(after.log.length - before.log.length).toBeLessThan(30)
  })
})

function counted(values: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {}
  for (const value of values) found[value] = (found[value] ?? 0) + 1
  return found
}

const mb = (bytes: number) => (bytes / 1e6).toFixed(0)
