import { describe, expect, it } from 'vitest'
import { createPushDemand } from '../../../src/demand/push.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const agent = { id: 'a', slots: 2, freeSlots: 2, busy: false }
const nobody = { drain: () => false, undrain: () => false }

function open() {
  const clock = new FakeClock(1_000_000)
  return { clock, source: createPushDemand({ ...nobody, clock }) }
}

describe('pushed demand', () => {
  it('is an error until something is pushed', async () => {
    await expect(open().source.read('p')).rejects.toMatchObject({ code: 'PUSH_MISSING' })
  })

  it('is an error when it is too old, with its age', async () => {
    const { clock, source } = open()
    source.push('p', { pending: [], agents: [] })
    await clock.advance(15_000)
    expect(await source.read('p')).toMatchObject({ at: 1_000_000 })
    await clock.advance(1)
    await expect(source.read('p')).rejects.toMatchObject({
      code: 'PUSH_STALE',
      message: expect.stringContaining('15 s old'),
      problems: [{ details: { age: 15_001 } }],
    })
    const wordsNow = () => source.read('p').catch(({ message }) => message)
    const words = await wordsNow()
    await clock.advance(60_000)
    expect(await wordsNow()).toBe(words)
  })

  it('has the age that the master reports', async () => {
    const { source } = open()
    source.push('p', { pending: [], agents: [], ageMs: 4_000 })
    expect((await source.read('p')).at).toBe(996_000)
  })

  it('is not replaced by older data', async () => {
    const { source } = open()
    source.push('p', { pending: [{ id: 'new', slots: 1 }], agents: [] })
    source.push('p', { pending: [{ id: 'old', slots: 1 }], agents: [], ageMs: 1 })
    expect((await source.read('p')).pending.map(({ id }) => id)).toEqual(['new'])
  })

  it('is accepted after the clock was set back', async () => {
    const { clock, source } = open()
    source.push('p', { pending: [], agents: [] })
    await clock.advance(-600_000)
    source.push('p', { pending: [{ id: 'w', slots: 1 }], agents: [] })
    expect(await source.read('p')).toMatchObject({ at: 400_000, pending: [{ id: 'w' }] })
  })

  it('remembers since when jobs wait and agents are idle, if the master does not report it', async () => {
    const { clock, source } = open()
    const demand = { pending: [{ id: 'w', slots: 1 }], agents: [agent] }
    source.push('p', demand)
    await clock.advance(5_000)
    source.push('p', demand)
    const { pending, agents } = await source.read('p')
    expect(pending).toEqual([{ id: 'w', slots: 1, since: 1_000_000 }])
    expect(agents).toEqual([
      { ...agent, connected: true, enabled: true, draining: false, idleSince: 1_000_000 },
    ])
  })

  it.each([
    ['no object', 7, 'the demand must be an object'],
    [
      'a field nobody knows',
      { pending: [], agents: [], agent: [] },
      'the demand has an unknown field: agent',
    ],
    [
      'negative slots',
      { pending: [{ id: 'w', slots: -1 }], agents: [] },
      'pending.0.slots must be at least 0',
    ],
    ['half a slot', { pending: [{ id: 'w', slots: 0.5 }], agents: [] }, 'pending.0.slots must be an integer'],
    [
      'the same work twice',
      {
        pending: [
          { id: 'w', slots: 1 },
          { id: 'w', slots: 1 },
        ],
        agents: [],
      },
      'pending contains the same id twice',
    ],
    [
      'more free slots than slots',
      { pending: [], agents: [{ ...agent, freeSlots: 3 }] },
      'agents.0 has more freeSlots',
    ],
    [
      'slots in use without work',
      { pending: [], agents: [{ ...agent, freeSlots: 1 }] },
      'agents.0 is not busy and',
    ],
    [
      'no word on being busy',
      { pending: [], agents: [{ id: 'a', slots: 1, freeSlots: 1 }] },
      'agents.0.busy must be true or false',
    ],
  ])('refuses %s, and keeps what was there', async (_, bad, message) => {
    const { source } = open()
    source.push('p', { pending: [{ id: 'w', slots: 1 }], agents: [] })
    expect(() => source.push('p', bad as never)).toThrow(`PUSH_REFUSED: ${message}`)
    expect((await source.read('p')).pending).toHaveLength(1)
  })
})
