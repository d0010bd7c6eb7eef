import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Host, type Need, occupy, place } from '../../../../src/standalone/master/allocation.ts'
import type { Device } from '../../../../src/standalone/protocol/container.ts'

const devices = (count: number): Device[] =>
  Array.from({ length: count }, (_, id) => ({ id, brand: 'T4', uuid: `GPU-${id}`, type: 'cuda' }))

/** `used` of its slots and `aux` of its two auxiliary containers are used. */
function host(id: string, slots: number, used = 0, aux = 0, runsCommands = true): Host {
  return { id, slots, free: devices(slots).slice(used), freeAux: 2 - aux, busy: used + aux > 0, runsCommands }
}

const slots = (count: number) => ({ slots: count, on: 'any' as const })
const agentsOf = (need: number, hosts: Host[]) => place(slots(need), hosts)?.map((fit) => fit.agentId)

describe('an allocation that fits one agent', () => {
  it('is placed where the fewest slots stay free', () => {
    expect(agentsOf(2, [host('large', 8), host('small', 2), host('medium', 4)])).toEqual(['small'])
    expect(agentsOf(2, [host('large', 8, 5), host('medium', 4)])).toEqual(['large'])
  })

  it('prefers a busy agent, so that the idle one can be terminated', () => {
    expect(agentsOf(1, [host('a-idle', 2), host('b-busy', 3, 1)])).toEqual(['b-busy'])
  })

  it('gets unused devices', () => {
    expect(place(slots(2), [host('a', 4, 2)])).toEqual([{ agentId: 'a', devices: devices(4).slice(2) }])
  })

  it('waits if no agent has enough slots', () => {
    expect(agentsOf(3, [host('a', 4, 2), host('b', 2)])).toBeUndefined()
    expect(agentsOf(1, [])).toBeUndefined()
  })
})

describe('an allocation that does not fit one agent', () => {
  it('gets several whole agents of one size, the largest size that divides it', () => {
    const hosts = [host('a', 2), host('b', 4), host('c', 4), host('d', 2), host('e', 8, 3)]
    expect(agentsOf(8, hosts)).toEqual(['b', 'c'])
    expect(agentsOf(6, hosts)).toBeUndefined()
    expect(agentsOf(12, [...hosts, host('f', 4)])).toEqual(['b', 'c', 'f'])
  })

  it('never gets an agent with a used slot', () => {
    expect(agentsOf(8, [host('a', 4), host('b', 4, 1)])).toBeUndefined()
  })

  it('may share an agent with auxiliary containers', () => {
    expect(agentsOf(8, [host('a', 4), host('b', 4, 0, 1)])).toEqual(['b', 'a'])
  })
})

describe('auxiliary allocations', () => {
  it('are placed on a busy agent', () => {
    expect(agentsOf(0, [host('idle', 2), host('busy', 2, 2)])).toEqual(['busy'])
  })

  it('fill one agent before the next', () => {
    expect(agentsOf(0, [host('a', 0), host('b', 0, 0, 1)])).toEqual(['b'])
    expect(agentsOf(0, [host('a', 0), host('b', 0, 0, 2)])).toEqual(['a'])
    expect(agentsOf(0, [host('a', 0, 0, 2)])).toBeUndefined()
  })

  it('use no slot', () => {
    const [after] = occupy([host('a', 4)], place(slots(0), [host('a', 4)])!)
    expect(after).toMatchObject({ freeAux: 1, busy: true })
    expect(after!.free).toHaveLength(4)
  })
})

it('a command goes only to agents that run commands, and one with an image to the others', () => {
  const hosts = [host('foreign', 1, 0, 0, false), host('ours', 8)]
  expect(place({ slots: 1, on: 'built-in' }, hosts)).toMatchObject([{ agentId: 'ours' }])
  expect(place({ slots: 0, on: 'built-in' }, hosts)).toMatchObject([{ agentId: 'ours' }])
  expect(place({ slots: 1, on: 'built-in' }, hosts.slice(0, 1))).toBeUndefined()
  expect(place({ slots: 1, on: 'determined' }, hosts)).toMatchObject([{ agentId: hosts[0]!.id }])
  expect(place({ slots: 1, on: 'determined' }, hosts.slice(1))).toBeUndefined()
})

describe('in any pool', () => {
  const anyHost = fc
    .tuple(fc.integer({ min: 0, max: 8 }), fc.nat(8), fc.nat(2), fc.boolean())
    .map(([size, used, aux, runs]) => [size, Math.min(used, size), aux, runs] as const)
  const anyHosts = fc
    .array(anyHost, { maxLength: 7 })
    .map((list) => list.map(([size, used, aux, runs], i) => host(`agent-${i}`, size, used, aux, runs)))
  const anyNeed = fc.record({
    slots: fc.nat(20),
    on: fc.constantFrom<Need['on']>('any', 'built-in', 'determined'),
  })

  it('a placement satisfies all rules', () => {
    fc.assert(
      fc.property(anyNeed, anyHosts, (need, hosts) => {
        const fits = place(need, hosts)
        if (!fits) return
        expect(fits.reduce((sum, fit) => sum + fit.devices.length, 0)).toBe(need.slots)
        expect(new Set(fits.map((fit) => fit.agentId)).size).toBe(fits.length)
        expect(new Set(fits.map((fit) => fit.devices.length)).size).toBe(1)
        for (const fit of fits) {
          const chosen = hosts.find(({ id }) => id === fit.agentId)!
          expect(chosen.free).toEqual(expect.arrayContaining(fit.devices))
          expect(new Set(fit.devices.map(({ id }) => id)).size).toBe(fit.devices.length)
          if (need.on !== 'any') expect(chosen.runsCommands).toBe(need.on === 'built-in')
          if (need.slots === 0) expect(chosen.freeAux).toBeGreaterThan(0)
          if (fits.length > 1) expect(fit.devices).toHaveLength(chosen.slots)
        }
      }),
    )
  })

  it('no allocation waits that fits', () => {
    fc.assert(
      fc.property(anyNeed, anyHosts, (need, hosts) => {
        if (place(need, hosts)) return
        const able = hosts.filter((h) => need.on === 'any' || h.runsCommands === (need.on === 'built-in'))
        expect(able.some((h) => (need.slots === 0 ? h.freeAux > 0 : h.free.length >= need.slots))).toBe(false)
        for (let size = 1; size <= 8; size++) {
          const whole = able.filter((h) => h.slots === size && h.free.length === size).length
          expect(need.slots > 0 && need.slots % size === 0 && whole * size >= need.slots).toBe(false)
        }
      }),
    )
  })

  it('the order of the agents does not matter', () => {
    fc.assert(
      fc.property(anyNeed, anyHosts, (need, hosts) => {
        expect(place(need, [...hosts].reverse())).toEqual(place(need, hosts))
      }),
    )
  })

  it('a placement uses exactly the given devices', () => {
    fc.assert(
      fc.property(anyNeed, anyHosts, (need, hosts) => {
        const fits = place(need, hosts)
        if (!fits) return
        const free = (list: Host[]) => list.reduce((sum, h) => sum + h.free.length, 0)
        const after = occupy(hosts, fits)
        expect(free(after)).toBe(free(hosts) - need.slots)
        for (const [i, h] of after.entries())
          if (!fits.some(({ agentId }) => agentId === h.id)) expect(h).toEqual(hosts[i])
      }),
    )
  })
})
