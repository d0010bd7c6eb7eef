import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Allocation, submitted, type Work } from '../../../../src/standalone/master/allocation.ts'
import { inOrder, type PoolHost, schedule } from '../../../../src/standalone/master/queue.ts'
import type { Device } from '../../../../src/standalone/protocol/container.ts'

const devices = (count: number): Device[] =>
  Array.from({ length: count }, (_, id) => ({ id, brand: 'T4', uuid: `GPU-${id}`, type: 'cuda' }))

function host(id: string, slots: number, used = 0): PoolHost {
  const all = devices(slots)
  return {
    ...{ id, slots, all, free: all.slice(used), allAux: 2, freeAux: 2, busy: used > 0, runsCommands: false },
  }
}

const lasting: Work = { kind: 'duration', seconds: 60 }
const running: Work = { kind: 'command', argv: ['true'], env: {}, workingDirectory: '' }

function work(task: string, slots: number, priority = 42, at = 0, what = lasting): Allocation {
  return submitted({ task, name: task, pool: 'p', slots, priority, work: what }, at)
}

const started = (pending: Allocation[], hosts: PoolHost[]) =>
  schedule(pending, hosts).map(
    ({ allocation, fits }) => `${allocation.task}:${fits.map((f) => f.agentId).join('+')}`,
  )

describe('the queue', () => {
  it('is ordered by priority, then age, then id', () => {
    const queue = [
      work('d', 1, 50, 1),
      work('b', 1, 42, 3),
      work('c', 1, 42, 3),
      work('a', 1, 42, 9),
      work('e', 1, 1, 99),
    ]
    expect(inOrder(queue).map(({ task }) => task)).toEqual(['e', 'b', 'c', 'a', 'd'])
  })

  it('starts every allocation that fits, on the remaining slots', () => {
    const pending = [work('one', 2, 42, 1), work('two', 2, 42, 2), work('three', 1, 42, 3)]
    expect(started(pending, [host('a', 4)])).toEqual(['one:a', 'two:a'])
  })

  it('lets allocations of the same priority overtake one that has to wait', () => {
    expect(started([work('large', 4, 42, 1), work('small', 1, 42, 2)], [host('a', 4, 1)])).toEqual([
      'small:a',
    ])
  })

  it('blocks lower priorities behind an allocation that will fit later', () => {
    expect(started([work('large', 4, 10, 1), work('small', 1, 42, 2)], [host('a', 4, 1)])).toEqual([])
  })

  it('blocks nothing behind an allocation that would not fit on empty agents', () => {
    expect(started([work('giant', 16, 10, 1), work('small', 1, 42, 2)], [host('a', 4, 1)])).toEqual([
      'small:a',
    ])
    const command = work('command', 1, 10, 1, running)
    expect(started([command, work('small', 1, 42, 2)], [host('a', 4, 1)])).toEqual(['small:a'])
  })

  it('does not let auxiliary allocations and those with slots wait for each other', () => {
    const pending = [work('large', 4, 1, 1), work('aux', 0, 99, 2)]
    expect(started(pending, [host('a', 4, 1)])).toEqual(['aux:a'])
    const auxFirst = [
      ...Array.from({ length: 3 }, (_, i) => work(`aux${i}`, 0, 1, i)),
      work('slotted', 1, 99, 9),
    ]
    expect(started(auxFirst, [host('a', 4)])).toEqual(['aux0:a', 'aux1:a', 'slotted:a'])
  })

  it('gives whole agents to an allocation on several agents', () => {
    expect(started([work('large', 8)], [host('a', 4), host('b', 4), host('c', 4, 1)])).toEqual(['large:a+b'])
  })

  it('handles ten thousand pending allocations and a thousand agents without checking every pair', () => {
    let looked = 0
    const counted = Array.from({ length: 1000 }, (_, i) => {
      const full = host(`agent-${i}`, 8, 8)
      return new Proxy(full, {
        get: (target, key) => {
          if (key === 'free') looked++
          return Reflect.get(target, key)
        },
      })
    })
    const pending = Array.from({ length: 10_000 }, (_, i) => work(`w${i}`, 1 + (i % 8), 1 + (i % 99), i))
    expect(schedule(pending, counted)).toEqual([])
    expect(looked).toBeLessThan(1_000_000)
  })
})

describe('for any queue', () => {
  const anyWork = fc.array(fc.tuple(fc.nat(10), fc.integer({ min: 1, max: 4 }), fc.nat(5)), { maxLength: 15 })
  const anyPool = fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { maxLength: 5 })

  it('no device is given twice and no auxiliary limit exceeded', () => {
    fc.assert(
      fc.property(anyWork, anyPool, (list, pool) => {
        const hosts = pool.map(([size, used], i) => host(`agent-${i}`, size, Math.min(used, size)))
        const assignments = schedule(
          list.map(([slots, priority, at], i) => work(`w${i}`, slots, priority, at)),
          hosts,
        )
        const given = assignments.flatMap(({ fits }) => fits)
        for (const { id, free, freeAux } of hosts) {
          const placed = given.filter(({ agentId }) => agentId === id)
          const ids = placed.flatMap((fit) => fit.devices.map((device) => device.id))
          expect(new Set(ids).size).toBe(ids.length)
          expect(free.map((device) => device.id)).toEqual(expect.arrayContaining(ids))
          expect(placed.filter((fit) => fit.devices.length === 0).length).toBeLessThanOrEqual(freeAux)
        }
        expect(new Set(assignments.map(({ allocation }) => allocation.id)).size).toBe(assignments.length)
      }),
    )
  })

  it('on empty agents, the first allocation that can fit is started', () => {
    fc.assert(
      fc.property(anyWork, anyPool, (list, pool) => {
        const hosts = pool.map(([size], i) => host(`agent-${i}`, size))
        const pending = list.map(([slots, priority, at], i) => work(`w${i}`, slots, priority, at))
        const alone = inOrder(pending).find((one) => schedule([one], hosts).length === 1)
        if (alone) expect(schedule(pending, hosts)[0]?.allocation).toBe(alone)
      }),
    )
  })
})
