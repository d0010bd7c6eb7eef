// One listing of a cluster for all its pools: who shares it, how often the cloud is asked, and what a failure does.
import { describe, expect, it } from 'vitest'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import type { ClusterProvider, Listing } from '../../../src/providers/contract.ts'
import { shareCluster } from '../../../src/providers/shared-cluster.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const complete: Listing = { instances: [], complete: true, problems: [] }
const second = 1000

function bench() {
  const clock = new FakeClock(1_000_000)
  const born = clock.now()
  const starts: number[] = []
  const finds: { at: number; ids: string[] }[] = []
  const signals: AbortSignal[] = []
  const scripted = { takes: 0, opens: 0, closes: 0, answer: async (): Promise<Listing> => complete }
  const provider: ClusterProvider = {
    async list(signal) {
      starts.push((clock.now() - born) / second)
      if (signal) signals.push(signal)
      if (scripted.takes > 0) await clock.sleep(scripted.takes)
      return scripted.answer()
    },
    async find(ids) {
      finds.push({ at: (clock.now() - born) / second, ids })
      return scripted.answer()
    },
    terminate: async () => ({ terminated: [], failures: [] }),
    async close() {
      scripted.closes++
    },
  }
  const cluster = shareCluster(
    async () => {
      scripted.opens++
      return provider
    },
    { clock, random: () => 0 },
  )
  return { clock, born, starts, finds, signals, scripted, cluster }
}

const failed = (cause: Error) =>
  new ProvisionError(problem('PROVIDER_TRANSIENT', 'could not list', { cause }))
const answered = (answer: object) => Object.assign(new Error('unavailable'), answer)

describe('a shared listing', () => {
  it('is made once for all who ask at the same time, and the cluster is opened once', async () => {
    const { cluster, clock, starts, scripted } = bench()
    const asked = Array.from({ length: 100 }, () => cluster.list(clock.now()))
    await clock.advance(0)
    const answers = await Promise.all(asked)
    expect(starts).toEqual([0])
    expect(scripted.opens).toBe(1)
    expect(answers[99]).toMatchObject({ complete: true, startedAt: 1_000_000, took: 0 })
  })

  it('is used again by those who do not need a newer one', async () => {
    const { cluster, clock, born, starts } = bench()
    await cluster.list(born)
    await clock.advance(30 * second)
    await expect(cluster.list(born)).resolves.toMatchObject({ startedAt: born })
    expect(starts).toEqual([0])
  })

  it('is made anew, for all of them, when somebody needs a newer one than the one that is running', async () => {
    const { cluster, clock, born, starts, scripted } = bench()
    scripted.takes = 3 * second
    const first = cluster.list(born)
    await clock.advance(1 * second)
    const later = [cluster.list(born + 1 * second), cluster.list(born + 500)]
    await clock.advance(10 * second)
    await expect(first).resolves.toMatchObject({ startedAt: born })
    for (const listing of later) expect((await listing).startedAt).toBeGreaterThan(born + 1 * second)
    expect(starts).toHaveLength(2)
  })

  it('begins at least two seconds after the one before, and uses at most half of the time', async () => {
    const { cluster, clock, starts, scripted } = bench()
    for (let n = 0; n < 3; n++) {
      const listing = cluster.list(clock.now() + 1)
      await clock.advance(2 * second)
      await listing
    }
    expect(starts).toEqual([0, 2, 4])
    scripted.takes = 10 * second
    for (let n = 0; n < 3; n++) {
      const listing = cluster.list(clock.now() + 1)
      await clock.advance(20 * second)
      await listing
    }
    expect(starts.slice(3)).toEqual([6, 26, 46])
  })
})

describe('a shared listing that fails', () => {
  it('is not asked for again by every pool: they get its outcome until the next attempt is due', async () => {
    const { cluster, clock, born, starts, scripted } = bench()
    scripted.answer = async () => ({ ...complete, complete: false })
    const everySecond: Promise<unknown>[] = []
    for (let n = 0; n < 60; n++) {
      everySecond.push(cluster.list(born + n * second))
      await clock.advance(1 * second)
    }
    await Promise.all(everySecond)
    // 5, 10 and 20 seconds apart.
    expect(starts).toEqual([0, 5, 15, 35])
    scripted.answer = async () => complete
    await clock.advance(20 * second)
    await expect(cluster.list(clock.now())).resolves.toMatchObject({ complete: true })
    await clock.advance(2 * second)
    const healed = cluster.list(clock.now())
    await clock.advance(2 * second)
    await expect(healed).resolves.toMatchObject({ complete: true })
  })

  it.each<[string, Error, number[]]>([
    [
      'while no answer arrives, every three seconds',
      failed(new Error('no route')),
      [0, 3, 6, 9, 12, 15, 18, 21, 24, 27],
    ],
    ['when EC2 answers that it cannot', failed(answered({ $metadata: { httpStatusCode: 503 } })), [0, 5, 15]],
    ['when Google answers that it cannot', failed(answered({ status: 503 })), [0, 5, 15]],
  ])('that failed is repeated %s', async (_, error, expected) => {
    const { cluster, clock, starts, scripted } = bench()
    scripted.answer = async () => Promise.reject(error)
    const asked: Promise<unknown>[] = []
    for (let n = 0; n < 29; n++) {
      asked.push(cluster.list(clock.now()).catch(() => {}))
      await clock.advance(1 * second)
    }
    await Promise.all(asked)
    expect(starts).toEqual(expected)
  })

  it.each<[string, Error, number[]]>([
    ['is repeated soon after it when no answer arrived', failed(new Error('no route')), [0, 28, 53]],
    ['is repeated after as long again when it was answered', failed(answered({ status: 503 })), [0, 50]],
  ])('that took long and failed %s', async (_, error, expected) => {
    const { cluster, clock, starts, scripted } = bench()
    const { problems } = error as ProvisionError
    scripted.answer = async () => ({ instances: [], complete: false, problems })
    scripted.takes = 25 * second
    void cluster.list(clock.now())
    await clock.advance(25 * second)
    for (let n = 25; n < 54; n++) {
      void cluster.list(clock.now())
      await clock.advance(1 * second)
    }
    expect(starts).toEqual(expected)
  })

  it('does not hide the last complete one from those to whom that one is new enough', async () => {
    const { cluster, clock, born, scripted } = bench()
    await cluster.list(born)
    await clock.advance(10 * second)
    scripted.answer = async () => ({ ...complete, complete: false })
    await expect(cluster.list(born + 1)).resolves.toMatchObject({ complete: false })
    await expect(cluster.list(born)).resolves.toMatchObject({ complete: true, startedAt: born })
  })

  it('rejects for all when the cluster cannot be opened, and is opened again later', async () => {
    const clock = new FakeClock()
    let opens = 0
    const cluster = shareCluster(
      async () => {
        if (++opens === 1) throw new Error('no credentials')
        return { ...bench().cluster, terminate: async () => ({ terminated: [], failures: [] }) } as never
      },
      { clock, random: () => 0 },
    )
    const both = await Promise.allSettled([cluster.list(clock.now()), cluster.list(clock.now())])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(opens).toBe(1)
    await clock.advance(5 * second)
    void cluster.list(clock.now()).catch(() => {})
    await clock.advance(0)
    expect(opens).toBe(2)
  })

  it('is given up after a minute when nothing is answered; the next one gets two', async () => {
    const { cluster, clock, born, scripted } = bench()
    scripted.answer = () => new Promise(() => {})
    const outcomes: string[] = []
    const ask = async () => {
      const from = clock.now()
      await cluster.list(born + outcomes.length).catch(({ problems }) => {
        outcomes.push(`${problems[0].code} after ${(clock.now() - from) / second} s`)
      })
    }
    const first = ask()
    await clock.advance(60 * second)
    await first
    await clock.advance(5 * second)
    const next = ask()
    await clock.advance(120 * second)
    await next
    expect(outcomes).toEqual(['CALL_TIMED_OUT after 60 s', 'CALL_TIMED_OUT after 120 s'])
  })
})

describe('lookups by id', () => {
  it('are combined while one is running, two seconds apart, and each begins after it was asked for', async () => {
    const { cluster, clock, finds } = bench()
    const answers = [cluster.find(['i-1', 'i-2'])]
    await clock.advance(0)
    for (let pool = 0; pool < 5; pool++) answers.push(cluster.find([`i-${pool}`, 'i-9']))
    const asked = clock.now()
    await clock.advance(10 * second)
    const found = await Promise.all(answers)
    expect(finds).toEqual([
      { at: 0, ids: ['i-1', 'i-2'] },
      { at: 2, ids: ['i-0', 'i-9', 'i-1', 'i-2', 'i-3', 'i-4'] },
    ])
    for (const { startedAt } of found.slice(1)) expect(startedAt).toBeGreaterThanOrEqual(asked)
  })

  it('go on after one that failed', async () => {
    const { cluster, clock, scripted } = bench()
    scripted.answer = async () => {
      throw new Error('a gateway')
    }
    await expect(cluster.find(['i-1'])).rejects.toThrow('a gateway')
    scripted.answer = async () => complete
    const next = cluster.find(['i-1'])
    await clock.advance(2 * second)
    await expect(next).resolves.toMatchObject({ complete: true })
  })
})

it('closes what it opened, and opens nothing to close it', async () => {
  const unused = bench()
  await unused.cluster.close()
  expect(unused.scripted).toMatchObject({ opens: 0, closes: 0 })
  const used = bench()
  await used.cluster.list(0)
  await used.cluster.close()
  expect(used.scripted).toMatchObject({ opens: 1, closes: 1 })
})

it('gives up what is in progress when it is closed, and waits for nothing', async () => {
  const { cluster, clock, scripted, starts, finds, signals } = bench()
  scripted.takes = 30 * second
  const outcomes: string[] = []
  const ask = (name: string, call: Promise<unknown>) =>
    void call.then(
      () => outcomes.push(`${name} done`),
      () => outcomes.push(`${name} given up`),
    )
  ask('running', cluster.list(clock.now()))
  await clock.advance(1 * second)
  ask('next', cluster.list(clock.now()))
  ask('lookup', cluster.find(['i-1']))
  await clock.advance(0)
  ask('next lookup', cluster.find(['i-2']))
  await clock.advance(0)
  await cluster.close()
  await clock.advance(0)
  expect(signals.every(({ aborted }) => aborted)).toBe(true)
  expect(outcomes.sort()).toEqual([
    'lookup done',
    'next given up',
    'next lookup given up',
    'running given up',
  ])
  await clock.advance(300 * second)
  expect([starts.length, finds.length]).toEqual([1, 1])
  await expect(cluster.list(clock.now())).rejects.toThrow('closed')
  await expect(cluster.find(['i-1'])).rejects.toThrow('closed')
  expect([starts.length, finds.length, scripted.closes]).toEqual([1, 1, 1])
})

it('does not make pools of other zones wait while a zone does not respond', async () => {
  const { cluster, clock, scripted, starts } = bench()
  const why = problem('PROVIDER_TRANSIENT', 'no response from a zone')
  const silent = { zones: ['us-east1-b'], problem: why }
  scripted.answer = async () => ({ ...complete, complete: false, problems: [why], silent })
  for (let n = 0; n < 30; n++) {
    const from = clock.now()
    const listing = cluster.list(from)
    await clock.advance(2 * second)
    expect((await listing).startedAt).toBeGreaterThanOrEqual(from)
  }
  expect(starts).toHaveLength(30)
})
