import { describe, expect, it } from 'vitest'
import { startHeartbeat } from '../../../../src/standalone/protocol/connection.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

function beating() {
  const clock = new FakeClock()
  const start = clock.now()
  const pings: number[] = []
  const expiries: number[] = []
  const heartbeat = startHeartbeat({
    clock,
    ping: () => pings.push((clock.now() - start) / 1000),
    expire: () => expiries.push((clock.now() - start) / 1000),
  })
  return { clock, heartbeat, pings, expiries }
}

describe('heartbeat', () => {
  it('pings every 15 s', async () => {
    const { clock, heartbeat, pings, expiries } = beating()
    await clock.advance(44_999)
    expect(pings).toEqual([15, 30])
    await clock.advance(1)
    expect(pings).toEqual([15, 30, 45])
    expect(expiries).toEqual([])
    heartbeat.stop()
  })

  it('expires once, 60 s after the last pong', async () => {
    const { clock, heartbeat, expiries, pings } = beating()
    await clock.advance(20_000)
    heartbeat.pong()
    await clock.advance(59_999)
    expect(expiries).toEqual([])
    await clock.advance(1)
    expect(expiries).toEqual([80])
    const sent = pings.length
    await clock.advance(300_000)
    expect(expiries).toEqual([80])
    expect(pings).toHaveLength(sent)
  })

  it('stays alive with a pong just within each minute', async () => {
    const { clock, heartbeat, expiries } = beating()
    for (let i = 0; i < 30; i++) {
      await clock.advance(59_999)
      heartbeat.pong()
    }
    expect(expiries).toEqual([])
    heartbeat.stop()
  })

  it('does nothing after stop', async () => {
    const { clock, heartbeat, pings, expiries } = beating()
    heartbeat.stop()
    await clock.advance(120_000)
    expect([pings, expiries]).toEqual([[], []])
  })
})
