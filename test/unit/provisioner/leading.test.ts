import { describe, expect, it } from 'vitest'
import { createLeading, type Leading, type Unit } from '../../../src/provisioner/leading.ts'
import type { Term } from '../../../src/provisioner/term.ts'
import { memoryLeases } from '../../../src/state/leases/memory-leases.ts'
import type { Candidate, LeaseStore } from '../../../src/state/leases/port.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { silentLogger } from '../../support/silent-logger.ts'

interface Host {
  leading: Leading
  /** What happened to its unit. */
  story: string[]
  term: () => Term
  /** Cut off from the store. */
  isCut: boolean
  wants: Candidate['wants']
  /** Its next leads fail with it. */
  failure: Error | undefined
  /** Its leaves wait for it. */
  leaving: Promise<void> | undefined
}

function world() {
  const clock = new FakeClock()
  const leases = memoryLeases(() => clock.now())

  function host(id: string, { isServer = false, configuration = 'a' } = {}): Host {
    let term: Term | undefined
    const self: Host = {
      story: [],
      term: () => term!,
      isCut: false,
      wants: 'share',
      failure: undefined,
      leaving: undefined,
      leading: undefined as never,
    }
    const unit: Unit = {
      isServer,
      async lead(given) {
        if (self.failure) throw self.failure
        term = given
        self.story.push('leads')
      },
      async leave() {
        await self.leaving
        self.story.push('leaves')
      },
      again: () => void self.story.push('leads again'),
      async abandon() {
        self.story.push('abandons')
      },
    }
    const about = (): Omit<Candidate, 'pools'> => ({
      ...{ id, host: id, pid: 1, start: undefined, boot: undefined, pidNamespace: undefined },
      ...{ since: 0, version: '1', configuration, wants: self.wants },
      ...{ pinned: [], configured: ['gpu'] },
    })
    self.leading = createLeading({
      leases: reached(leases, () => self.isCut),
      self: about,
      units: new Map([['gpu', unit]]),
      clock,
      logger: silentLogger,
      random: () => 0.5,
    })
    return self
  }
  return { clock, leases, host }
}

function reached(leases: LeaseStore, isCut: () => boolean): LeaseStore {
  const refuse = () => Promise.reject(new Error('no answer'))
  return {
    renew: (...given) => (isCut() ? refuse() : leases.renew(...given)),
    take: (...given) => (isCut() ? refuse() : leases.take(...given)),
    release: (...given) => (isCut() ? refuse() : leases.release(...given)),
    leave: (...given) => (isCut() ? refuse() : leases.leave(...given)),
  }
}

describe('what a process leads', () => {
  it('stays as it is while the store is gone and nobody else is there; nothing may be done meanwhile', async () => {
    const { clock, host } = world()
    const one = host('one')
    await one.leading.start()
    one.isCut = true
    await clock.advance(7_000)
    expect(one.term().isCurrent()).toBe(false)
    expect(one.leading.leaderOf('gpu')).toBeUndefined()
    expect(one.leading.problems()[0]?.message).toContain('no answer')
    one.isCut = false
    await clock.advance(5_000)
    expect(one.story).toEqual(['leads', 'leads again'])
    expect(one.term().isCurrent()).toBe(true)
    expect(one.term().epoch()?.number).toBe(2)
    expect(one.leading.problems()).toEqual([])
  })

  it('is led by nobody that is known once the leases of others would be over, too', async () => {
    const { clock, host } = world()
    const [one, two] = [host('one'), host('two')]
    await one.leading.start()
    await two.leading.start()
    expect(two.leading.leaderOf('gpu')).toMatchObject({ host: 'one', self: false })
    two.isCut = true
    await clock.advance(5_000)
    expect(two.leading.leaderOf('gpu')).toMatchObject({ host: 'one' })
    await clock.advance(5_000)
    expect(two.leading.leaderOf('gpu')).toBeUndefined()
    expect(two.leading.fault()?.message).toContain('no answer')
    two.isCut = false
    await clock.advance(3_000)
    expect(two.leading.leaderOf('gpu')).toMatchObject({ host: 'one' })
    expect(two.leading.fault()).toBeUndefined()
  })

  it('is abandoned once another process is seen to have led it, even if it has ended since', async () => {
    const { clock, leases, host } = world()
    const one = host('one')
    await one.leading.start()
    one.isCut = true
    await clock.advance(9_000)
    const epoch = await leases.take('gpu', 'two', 1_000)
    await leases.release('gpu', epoch!)
    one.isCut = false
    await clock.advance(3_000)
    expect(one.story).toEqual(['leads', 'abandons', 'leads'])
    expect(one.term().epoch()?.number).toBe(3)
  })

  it('is abandoned at once if it answers others, and another process may be their next leader', async () => {
    const { clock, host } = world()
    const one = host('one', { isServer: true })
    const two = host('two', { isServer: true })
    await one.leading.start()
    await two.leading.start()
    await clock.advance(3_000)
    one.isCut = true
    await clock.advance(7_000)
    expect(one.story).toEqual(['leads', 'abandons'])
    await clock.advance(3_000)
    expect(two.story).toEqual(['leads'])
    expect(two.leading.leaderOf('gpu')).toMatchObject({ host: 'two', epoch: 2, self: true })
  })

  it('is left to others for a while when it cannot begin', async () => {
    const { clock, host } = world()
    const one = host('one')
    const two = host('two')
    one.failure = new Error('the port is in use')
    await expect(one.leading.start()).rejects.toThrow('the port is in use')
    await two.leading.start()
    await clock.advance(4_000)
    expect(two.story).toEqual(['leads'])
    expect(one.leading.leaderOf('gpu')).toMatchObject({ host: 'two', self: false })
  })

  it('goes to the next process within seconds after a stop', async () => {
    const { clock, host } = world()
    const one = host('one')
    const two = host('two')
    await one.leading.start()
    await two.leading.start()
    const stopping = one.leading.stop()
    await clock.advance(2_500)
    await stopping
    expect([one.story, two.story]).toEqual([['leads', 'leaves'], ['leads']])
  })

  it('begins again after a lease that was over before the unit had ended', async () => {
    const { clock, host } = world()
    const one = host('one')
    const two = host('two')
    await one.leading.start()
    const ended = Promise.withResolvers<void>()
    one.leaving = ended.promise
    two.wants = 'all'
    await two.leading.start()
    await clock.advance(2_000)
    two.wants = 'share'
    two.isCut = true
    one.isCut = true
    await clock.advance(20_000)
    one.isCut = false
    await clock.advance(3_000)
    ended.resolve()
    await clock.advance(3_000)
    expect(one.story).toEqual(['leads', 'leaves', 'abandons', 'leads'])
    expect(one.leading.leaderOf('gpu')).toMatchObject({ host: 'one', self: true })
    expect(one.term().isCurrent()).toBe(true)
  })

  it('tells that another host has another configuration', async () => {
    const { clock, host } = world()
    const one = host('one')
    await one.leading.start()
    await host('two', { configuration: 'b' }).leading.start()
    await clock.advance(2_000)
    expect(one.leading.problems()).toMatchObject([
      { code: 'CONFIG_DIFFERS', details: { host: 'two', pid: 1 } },
    ])
  })
})
