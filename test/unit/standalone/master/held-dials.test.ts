// How long dials are held, and how many at once.
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { refusal } from '../../../../src/standalone/master/agent.ts'
import { createHeldDials, type HeldDialsOptions } from '../../../../src/standalone/master/held-dials.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

type Admission = 'yes' | 'no' | 'later'

function bench(options: Partial<HeldDialsOptions> = {}) {
  const clock = new FakeClock()
  const held = createHeldDials({ clock, ...options })
  const join = { id: 'i-1', version: '', resourcePool: 'gpu', reconnect: false, hostname: '' }

  function dial(address = '10.0.0.1') {
    const socket = new Socket()
    const answers: (number | 'accepted')[] = []
    const state = { socket, answers, admission: 'later' as Admission, isHeld: false }
    state.isHeld = held.hold({
      socket,
      address,
      judge: () =>
        refusal(undefined, join, {
          hasPool: () => true,
          takesAny: () => false,
          mayJoin: () => state.admission,
          mayReturn: () => 'no',
          isForgotten: () => false,
        }),
      answer: (refused) => answers.push(refused?.status ?? 'accepted'),
    })
    return state
  }
  return { clock, held, dial }
}

describe('a dial whose answer is not known yet', () => {
  it('is answered 503 after 15 s, not earlier', async () => {
    const { clock, dial } = bench()
    const one = dial()
    expect(one.isHeld).toBe(true)
    await clock.advance(14_900)
    expect(one.answers).toEqual([])
    await clock.advance(200)
    expect(one.answers).toEqual([503])
    expect(one.socket.destroyed).toBe(false)
  })

  it.each([
    ['yes', 'accepted'],
    ['no', 403],
  ] as const)('is answered as soon as the admission is %s', async (admission, answer) => {
    const { clock, dial } = bench()
    const [one, other] = [dial(), dial()]
    await clock.advance(3000)
    one.admission = admission
    await clock.advance(200)
    expect(one.answers).toEqual([answer])
    expect(other.answers).toEqual([])
    await clock.advance(60_000)
    expect(one.answers).toEqual([answer])
  })

  it('has its own timeout, also if others came earlier', async () => {
    const { clock, dial } = bench()
    dial()
    await clock.advance(10_000)
    const late = dial()
    await clock.advance(14_800)
    expect(late.answers).toEqual([])
    await clock.advance(400)
    expect(late.answers).toEqual([503])
  })

  it.each([
    ['disconnects', (socket: Socket) => socket.emit('end')],
    ['fails', (socket: Socket) => socket.emit('error', new Error('reset'))],
    ['closes', (socket: Socket) => socket.emit('close', false)],
    ['sends data before the answer', (socket: Socket) => socket.emit('data', Buffer.from('x'))],
  ])('is dropped when its peer %s', async (_, happen) => {
    const { clock, dial } = bench({ most: 1 })
    const one = dial()
    happen(one.socket)
    expect(one.socket.destroyed).toBe(true)
    await clock.advance(60_000)
    expect(one.answers).toEqual([])
    expect(dial().isHeld).toBe(true)
  })

  it('leaves no listeners on an accepted socket', async () => {
    const { clock, dial } = bench()
    const one = dial()
    one.admission = 'yes'
    await clock.advance(200)
    expect(['data', 'end', 'close', 'error'].map((event) => one.socket.listenerCount(event))).toEqual(
      ['data', 'end', 'close', 'error'].map((event) => new Socket().listenerCount(event)),
    )
  })

  it('is held only within the limits per address and in total', async () => {
    const { clock, dial } = bench({ most: 3, mostOfAddress: 2 })
    const dials = ['10.0.0.1', '10.0.0.1', '10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => dial(address))
    expect(dials.map((each) => each.isHeld)).toEqual([true, true, false, true, false])
    await clock.advance(15_200)
    expect(dials.map((each) => each.answers)).toEqual([[503], [503], [], [503], []])
    expect(dial().isHeld).toBe(true)
  })

  it('is answered when the master closes, and no dial is held afterwards', () => {
    const { held, dial } = bench()
    const one = dial()
    held.close()
    expect(one.answers).toEqual([503])
    expect(dial().isHeld).toBe(false)
  })
})
