// Instances of pools that were removed from the configuration or moved: reported, and terminated only when that is
// certainly correct.
import { describe, expect, it } from 'vitest'
import { simulatedCluster } from '../../../src/simulator/provider.ts'
import { place, startWatch } from '../../support/orphan-bench.ts'
import { hour, minute, second } from '../../support/planner.ts'

describe('instances that belong to no configured pool', () => {
  it('are reported at the start with ids, age, writer and the command, and again every hour', async () => {
    const bench = startWatch()
    await bench.pass(second)
    const [gone, other, ...rest] = bench.said()
    expect(rest).toEqual([])
    expect([gone!.code, other!.code]).toEqual(['POOL_GONE', 'POOL_GONE'])
    for (const id of bench.own) expect(gone!.message).toContain(id)
    expect(gone!.message).toMatch(
      /2 instances of pool old \(simulated, region here\).*launched by this provisioner/,
    )
    expect(gone!.remedy).toContain(`provision terminate ${bench.own[0]}`)
    expect(gone!.message).toContain('Those known to be idle are terminated in 1h')
    expect(other!.message).toMatch(/writer them\)\. They are not changed$/)
    expect(other!.remedy).toContain('provision adopt --orphans')
    await bench.pass(3 * hour)
    expect(bench.said().length).toBeGreaterThanOrEqual(6)
  })

  it('have the age since their launch', async () => {
    const bench = startWatch()
    await bench.pass(3 * hour + minute)
    const { orphans, at } = bench.watch.status()
    expect(orphans).toHaveLength(3)
    for (const { age, launchedAt } of orphans) expect(age).toBe(at! - launchedAt)
    expect(at! - orphans[0]!.launchedAt).toBeGreaterThanOrEqual(3 * hour)
  })

  it('of our own are drained after the grace period and terminated once idle; busy ones when they are done', async () => {
    const bench = startWatch()
    const [idle, busy] = bench.own as [string, string]
    bench.joins(idle)
    bench.joins(busy, true)
    await bench.pass(hour - minute)
    expect(bench.state.drains).toEqual([])
    await bench.pass(5 * minute)
    expect(bench.live()).not.toContain(idle)
    expect(bench.live()).toContain(busy)
    expect(bench.state.drains.sort()).toEqual([idle, busy].sort())
    await bench.pass(2 * hour)
    expect(bench.live()).toContain(busy)
    Object.assign(bench.agents.get(busy)!, { busy: false, freeSlots: 4 })
    await bench.pass(5 * minute)
    expect(bench.live()).not.toContain(busy)
    expect(bench.live()).toContain(bench.foreign)
  })

  it('are kept forever while the master does not know them, or is down, and reported', async () => {
    const bench = startWatch()
    bench.state.hasPool = false
    await bench.pass(3 * hour)
    bench.state.isMasterUp = false
    await bench.pass(3 * hour)
    expect(bench.live()).toEqual(expect.arrayContaining(bench.own))
    expect(bench.nextOf(bench.own[0]!)).toEqual({ kind: 'keep', why: 'unknown' })
    expect(bench.said().at(-1)!.message).not.toBe('')
    expect(bench.said().some(({ message }) => message.includes('2 unknown to the master are kept'))).toBe(
      true,
    )
  })

  it('that the master does not know are terminated if the rules allow it', async () => {
    const bench = startWatch({ rules: () => ({ terminateAfter: 10 * minute, terminateUnknown: true }) })
    await bench.pass(9 * minute)
    expect(bench.live()).toEqual(expect.arrayContaining(bench.own))
    await bench.pass(5 * minute)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
    expect(bench.live()).toContain(bench.foreign)
    expect(bench.watch.status().orphans.map(({ id }) => id)).toEqual([bench.foreign])
  })

  it('are kept while the views of the master are old, but not because a view takes long to read', async () => {
    const bench = startWatch({ rules: () => ({ terminateAfter: 0, terminateUnknown: true }) })
    for (const id of bench.own) bench.joins(id)
    bench.state.answersFrom = 20 * second
    await bench.pass(10 * minute)
    for (const id of bench.own) expect(bench.nextOf(id)).toEqual({ kind: 'keep', why: 'unknown' })
    expect(bench.state.drains).toEqual([])
    Object.assign(bench.state, { answersFrom: 0, answersTake: 20 * second })
    await bench.pass(10 * minute)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
  })

  it('are requested by the name that the master has for their pool', async () => {
    const { pass, joins, own, state, live } = startWatch({ nameOf: (_, pool) => `whole ${pool}` })
    joins(own[0]!)
    await pass(hour + 2 * minute)
    expect([...new Set(state.asked)].sort()).toEqual(['whole elsewhere', 'whole old'])
    expect(live()).not.toContain(own[0])
  })

  it('are drained again when their drain was lost, as after a restart of their agent', async () => {
    const { pass, joins, own, state, live } = startWatch()
    joins(own[0]!, true)
    await pass(hour + minute)
    expect(state.drains).toEqual([own[0]])
    joins(own[0]!)
    await pass(2 * minute)
    expect(state.drains).toEqual([own[0], own[0]])
    expect(live()).not.toContain(own[0])
  })

  it('are undrained when the watch stops: their pool may be configured at the next start', async () => {
    const { watch, pass, joins, own, state } = startWatch()
    joins(own[0]!, true)
    await pass(hour + minute)
    await watch.stop()
    expect(state.undrains).toEqual([own[0]])
  })

  it('are undrained as well when the answer to their drain was lost', async () => {
    const { watch, pass, joins, own, state } = startWatch()
    state.losesAnswers = true
    joins(own[0]!, true)
    await pass(hour + minute)
    await watch.stop()
    expect(new Set(state.drains)).toEqual(new Set([own[0]]))
    expect(state.undrains).toEqual([own[0]])
  })

  it('are undrained when an order to drain them is cancelled', async () => {
    const { watch, pass, joins, foreign, state } = startWatch()
    joins(foreign, true)
    await pass(second)
    watch.remove([foreign], 'when_idle')
    await pass(minute)
    expect(state.drains).toEqual([foreign])
    expect(await watch.keep([foreign, 'unknown'])).toEqual([foreign])
    expect(state.undrains).toEqual([foreign])
    await pass(hour)
    expect(state.drains).toEqual([foreign])
    expect(await watch.keep([foreign])).toEqual([])
  })

  it('wait with their grace period while the configuration file is invalid', async () => {
    const bench = startWatch()
    for (const id of bench.own) bench.joins(id)
    bench.state.isTrusted = false
    await bench.pass(5 * hour)
    expect(bench.state.drains).toEqual([])
    bench.state.isTrusted = true
    await bench.pass(3 * hour)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
  })

  it('are neither terminated nor drained while the file is invalid, even if their grace period is over', async () => {
    const bench = startWatch()
    const [busy, unknown] = bench.own as [string, string]
    bench.joins(busy, true)
    await bench.pass(2 * hour)
    bench.state.isTrusted = false
    bench.state.drains.length = 0
    Object.assign(bench.agents.get(busy)!, { busy: false, freeSlots: 4 })
    bench.joins(unknown)
    await bench.pass(5 * hour)
    expect(bench.live()).toEqual(expect.arrayContaining(bench.own))
    expect(bench.state.drains).toEqual([])
    bench.state.isTrusted = true
    await bench.pass(hour)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
  })

  it('are terminated at once on a forced order, whoever launched them', async () => {
    const bench = startWatch()
    await bench.pass(second)
    expect(bench.watch.remove([bench.foreign, 'i-nobody'], 'even_if_busy')).toEqual([bench.foreign])
    await bench.pass(minute)
    expect(bench.live()).not.toContain(bench.foreign)
    expect(bench.live()).toEqual(expect.arrayContaining(bench.own))
  })

  it('may reconnect to the master only when they are our own', async () => {
    const bench = startWatch()
    expect(bench.watch.mayReturn('old', bench.own[0]!)).toBe('later')
    await bench.pass(second)
    expect(bench.watch.mayReturn('old', bench.own[0]!)).toBe('yes')
    expect(bench.watch.mayReturn('current', bench.own[0]!)).toBe('no')
    expect(bench.watch.mayReturn('elsewhere', bench.foreign)).toBe('no')
  })
})

describe('a location that cannot be listed', () => {
  it('is reported, and its known orphans are kept', async () => {
    let isDown = false
    const bench = startWatch()
    const open = async () => {
      if (isDown) throw new Error('no credentials')
      return simulatedCluster(bench.cloud, 'cluster')
    }
    const other = startWatch({ open })
    await other.pass(second)
    isDown = true
    await other.pass(2 * hour)
    const last = other.said().filter(({ code }) => code === 'ORPHANS_UNSEEN')
    expect(last[0]!.message).toBe(
      'instances of this cluster in simulated, region here could not be listed: no credentials',
    )
    expect(other.watch.status().orphans).toHaveLength(3)
  })

  it('is one whose credentials are of another account', async () => {
    const known = { ...place, account: 'ours' }
    const bench = startWatch({
      locations: () => [known],
      rules: () => ({ terminateAfter: 0, terminateUnknown: true }),
    })
    await bench.pass(hour)
    expect(bench.watch.status().orphans).toEqual([])
    expect(bench.said().map(({ code }) => code)).toContain('ORPHANS_UNSEEN')
    expect(bench.live()).toHaveLength(4)
  })

  it('records its account the first time', async () => {
    const bench = startWatch()
    await bench.pass(second)
    expect(bench.accounts).toEqual(['simulated'])
  })
})

describe('a copy of the state folder', () => {
  it('that launches makes nothing our own, until it is gone', async () => {
    let copy: string | undefined = 'them'
    const bench = startWatch({
      isCopy: (writer) => writer === copy,
      rules: () => ({ terminateAfter: 0, terminateUnknown: true }),
    })
    await bench.pass(5 * minute)
    expect(bench.live()).toEqual(expect.arrayContaining(bench.own))
    copy = undefined
    await bench.pass(3 * hour)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
  })

  it('that launches at a location that is listed last makes nothing our own at the others', async () => {
    const last = { provider: 'simulated', location: { region: 'there' } }
    const bench = startWatch({
      locations: () => [place, last],
      open: async (where) => {
        const cluster = simulatedCluster(bench.cloud, 'cluster')
        const isShown = ({ pool }: { pool: string }) => (pool === 'elsewhere') === (where === last)
        return {
          ...cluster,
          async list(signal) {
            const listing = await cluster.list(signal)
            return { ...listing, instances: listing.instances.filter(isShown) }
          },
        }
      },
      isCopy: (writer) => writer === 'them',
      rules: () => ({ terminateAfter: 10 * minute, terminateUnknown: true }),
    })
    await bench.pass(3 * hour)
    expect(bench.live()).toEqual(expect.arrayContaining(bench.own))
    for (const id of bench.own) expect(bench.nextOf(id)).toEqual({ kind: 'keep', why: 'foreign' })
  })
})

describe('a search for orphans', () => {
  /** Counts the listings of the cluster. */
  function startCounting(foundPool: string) {
    const count = { lists: 0 }
    const bench = startWatch({
      isConfigured: (_, pool) => pool !== foundPool,
      rules: () => ({ terminateAfter: 10 * minute, terminateUnknown: true }),
      wrap: (cluster) => ({
        ...cluster,
        list(signal) {
          count.lists++
          return cluster.list(signal)
        },
      }),
    })
    return { bench, count }
  }

  it('takes place again at the end of the grace period of our own orphans', async () => {
    const { bench, count } = startCounting('old')
    await bench.pass(10 * minute - second)
    expect(bench.live()).toEqual(expect.arrayContaining(bench.own))
    expect(count.lists).toBe(1)
    await bench.pass(10 * second)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
  })

  it('takes place every hour while all orphans belong to another provisioner, whatever the grace period', async () => {
    const { bench, count } = startCounting('elsewhere')
    await bench.pass(3 * hour + minute)
    expect(bench.watch.status().orphans.map(({ id }) => id)).toEqual([bench.foreign])
    expect(count.lists).toBe(4)
  })

  it('terminates nothing based on a partial listing', async () => {
    let isWhole = false
    const bench = startWatch({
      wrap: (cluster) => ({
        ...cluster,
        async list(signal) {
          const listing = await cluster.list(signal)
          return { ...listing, complete: listing.complete && isWhole }
        },
      }),
      rules: () => ({ terminateAfter: 0, terminateUnknown: true }),
    })
    await bench.pass(hour)
    expect(bench.watch.status().orphans).toHaveLength(3)
    expect(bench.live()).toEqual(expect.arrayContaining(bench.own))
    isWhole = true
    await bench.pass(hour)
    for (const id of bench.own) expect(bench.live()).not.toContain(id)
  })

  it('delays a stop by at most ten seconds, whatever the cloud does', async () => {
    const never = () => new Promise<never>(() => {})
    const bench = startWatch({
      open: async () => ({ list: never, find: never, terminate: never, close: async () => {} }),
    })
    await bench.pass(second)
    let isOver = false
    void bench.watch.stop().then(() => {
      isOver = true
    })
    await bench.pass(11 * second)
    expect(isOver).toBe(true)
  })
})
