// The requirements for every demand source, written once and run on each of them: see src/demand/source.ts.
import { afterEach, beforeEach, describe, expect } from 'vitest'
import type { AgentState, PendingAllocation } from '../../src/planner/snapshot.ts'
import { ProvisionError } from '../../src/problems/index.ts'
import { clausesFor, eventually } from '../../src/testing/clauses.ts'
import type { DemandAbility, DemandHarness, DemandSubject } from './demand-harness.ts'

const free = { slots: 4, freeSlots: 4, busy: false, connected: true, enabled: true, draining: false }

export function describeDemandContract(name: string, subject: DemandSubject): void {
  let harness: DemandHarness

  async function pending(pool = harness.pool): Promise<PendingAllocation[]> {
    return (await harness.source.read(pool)).pending
  }

  async function agent(id: string, pool = harness.pool): Promise<AgentState | undefined> {
    return (await harness.source.read(pool)).agents.find((each) => each.id === id)
  }

  /** Whether it accepts new jobs. */
  async function takesWork(id: string): Promise<boolean> {
    const state = await agent(id)
    return state?.enabled === true && !state.draining
  }

  describe(`the demand contract on ${name}`, () => {
    const clause = clausesFor(name, subject.can)

    beforeEach(async () => {
      harness = await subject.open()
    })
    afterEach(async () => {
      await harness.dispose()
    })

    describe('read', () => {
      clause('names the pool and the moment of the data', [], async () => {
        const demand = await harness.source.read(harness.pool)
        expect(demand).toMatchObject({ pool: harness.pool, pending: [], agents: [] })
        expect(Number.isFinite(demand.at)).toBe(true)
      })

      clause('advances in time', [], async () => {
        const first = await harness.source.read(harness.pool)
        expect((await harness.source.read(harness.pool)).at).toBeGreaterThanOrEqual(first.at)
      })

      clause('shows waiting jobs, with their slots and since when they wait', [], async () => {
        const ids = [await harness.submit(4), await harness.submit(1), await harness.submit(0)]
        await eventually(async () => (await pending()).length).toBe(3)
        const found = new Map((await pending()).map((each) => [each.id, each]))
        expect(ids.map((id) => found.get(id)?.slots)).toEqual([4, 1, 0])
        for (const { since } of found.values()) expect(since).toBeGreaterThan(0)
      })

      clause('keeps the moment since when jobs wait', [], async () => {
        await harness.submit(4)
        await eventually(async () => (await pending()).length).toBe(1)
        const [first] = await pending()
        const later = (await (await harness.open()).read(harness.pool)).pending
        expect(later.map((each) => each.since)).toEqual([first!.since])
      })

      clause('no longer shows a job as waiting once it has an agent', [], async () => {
        const work = await harness.submit(4)
        await harness.join('agent-1', 4)
        await harness.place(work, 'agent-1')
        await eventually(() => pending()).toEqual([])
      })

      clause('no longer shows a job once it has ended without one', [], async () => {
        const work = await harness.submit(4)
        await eventually(async () => (await pending()).length).toBe(1)
        await harness.finish(work)
        await eventually(() => pending()).toEqual([])
      })

      clause('shows an agent that has joined, idle from then on', [], async () => {
        await harness.join('agent-1', 4)
        await eventually(() => agent('agent-1')).toMatchObject({ id: 'agent-1', ...free })
        const state = await agent('agent-1')
        expect(state!.idleSince).toBeGreaterThan(0)
        expect((await agent('agent-1'))!.idleSince).toBe(state!.idleSince)
      })

      clause('shows an agent with a job as busy, and idle again when that has ended', [], async () => {
        await harness.join('agent-1', 4)
        await eventually(() => agent('agent-1')).toBeDefined()
        const before = (await agent('agent-1'))!.idleSince!
        const work = await harness.submit(3)
        await harness.place(work, 'agent-1')
        await eventually(() => agent('agent-1')).toMatchObject({ ...free, busy: true, freeSlots: 1 })
        expect((await agent('agent-1'))!.idleSince).toBeUndefined()
        await harness.finish(work)
        await eventually(() => agent('agent-1')).toMatchObject(free)
        expect((await agent('agent-1'))!.idleSince).toBeGreaterThanOrEqual(before)
      })

      clause('shows an agent with auxiliary jobs as busy, with all its slots free', [], async () => {
        await harness.join('agent-1', 4)
        await harness.place(await harness.submit(0), 'agent-1')
        await eventually(() => agent('agent-1')).toMatchObject({ ...free, busy: true })
      })

      clause('no longer shows an agent once it is gone', [], async () => {
        await harness.join('agent-1', 4)
        await eventually(() => agent('agent-1')).toBeDefined()
        await harness.remove('agent-1')
        await eventually(() => agent('agent-1')).toBeUndefined()
      })

      clause('shows a briefly disconnected agent as not connected', ['disconnects'], async () => {
        await harness.join('agent-1', 4)
        await eventually(() => agent('agent-1')).toMatchObject({ connected: true })
        await harness.disconnect!('agent-1')
        await eventually(() => agent('agent-1')).toMatchObject({ connected: false })
      })

      clause('keeps pools apart', ['other_pools'], async () => {
        const other = harness.otherPool!
        const work = await harness.submit(2, other)
        await harness.join('agent-1', 4)
        await eventually(async () => (await pending(other)).map((each) => each.id)).toEqual([work])
        await eventually(() => agent('agent-1')).toBeDefined()
        expect(await pending()).toEqual([])
        expect(await agent('agent-1', other)).toBeUndefined()
      })

      clause(
        'is an error, and never no demand, when the master is out of reach',
        ['unreachable'],
        async () => {
          await harness.submit(4)
          await eventually(async () => (await pending()).length).toBe(1)
          await harness.becomeUnreachable!()
          await expect(harness.source.read(harness.pool)).rejects.toThrow(ProvisionError)
        },
      )

      clause('is abandoned when it is aborted', [], async () => {
        const aborted = AbortSignal.abort(new Error('stopped'))
        await expect(harness.source.read(harness.pool, aborted)).rejects.toThrow('stopped')
      })
    })

    describe('drain', () => {
      clause('stops new jobs from being placed on an agent, and may be repeated', [], async () => {
        await harness.join('agent-1', 4)
        await eventually(() => takesWork('agent-1')).toBe(true)
        for (let times = 0; times < 2; times++) expect(await harness.source.drain('agent-1')).toBe(true)
        await eventually(() => takesWork('agent-1')).toBe(false)
      })

      clause('does not affect the jobs an agent has', [], async () => {
        await harness.join('agent-1', 4)
        await harness.place(await harness.submit(4), 'agent-1')
        await harness.source.drain('agent-1')
        await eventually(() => takesWork('agent-1')).toBe(false)
        expect(await agent('agent-1')).toMatchObject({ busy: true })
      })

      clause('is undone by undrain, which may be repeated', [], async () => {
        await harness.join('agent-1', 4)
        await harness.source.drain('agent-1')
        await eventually(() => takesWork('agent-1')).toBe(false)
        for (let times = 0; times < 2; times++) expect(await harness.source.undrain('agent-1')).toBe(true)
        await eventually(() => takesWork('agent-1')).toBe(true)
      })

      clause('reports when the agent does not exist', [], async () => {
        expect(await harness.source.drain('nobody')).toBe(false)
        expect(await harness.source.undrain('nobody')).toBe(false)
      })
    })

    describe('an agent that a person disables', () => {
      const ways = ['at_once', 'when_done'] as const

      async function joined(): Promise<void> {
        await harness.join('agent-1', 4)
        await eventually(() => takesWork('agent-1')).toBe(true)
      }

      /** Waits long enough for whatever a source may still do. */
      async function staysOut(): Promise<void> {
        await eventually(() => takesWork('agent-1')).toBe(false)
        await new Promise((resolve) => setTimeout(resolve, 100))
        expect(await takesWork('agent-1')).toBe(false)
      }

      for (const how of ways) {
        const needs: DemandAbility[] = how === 'when_done' ? ['knows_whose_drain'] : []
        clause(`gets no more work, whatever we undrain (${how})`, needs, async () => {
          await joined()
          await harness.disable('agent-1', how)
          expect(await harness.source.undrain('agent-1')).toBe(true)
          await staysOut()
        })

        clause(`stays disabled when we drain it and take that back (${how})`, [], async () => {
          await joined()
          await harness.disable('agent-1', how)
          for (let times = 0; times < 2; times++) expect(await harness.source.drain('agent-1')).toBe(true)
          await eventually(() => agent('agent-1')).toMatchObject({ draining: true, disabledByPerson: true })
          for (let times = 0; times < 2; times++) {
            expect(await harness.source.undrain('agent-1')).toBe(true)
            if (!subject.can.includes('knows_whose_drain')) break
          }
          await staysOut()
        })
      }

      clause('is known as disabled by a person at once', [], async () => {
        await joined()
        await harness.disable('agent-1', 'at_once')
        await eventually(async () => {
          const state = await agent('agent-1')
          return state?.disabledByPerson === true || (state?.enabled === false && !state.draining)
        }).toBe(true)
      })

      clause('stays disabled when we had drained it before', [], async () => {
        await joined()
        await harness.source.drain('agent-1')
        await eventually(() => takesWork('agent-1')).toBe(false)
        await harness.disable('agent-1', 'at_once')
        await harness.source.undrain('agent-1')
        await staysOut()
      })

      clause('stays disabled when that person drains it, too', ['knows_whose_drain'], async () => {
        await joined()
        await harness.source.drain('agent-1')
        await eventually(() => takesWork('agent-1')).toBe(false)
        await harness.disable('agent-1', 'when_done')
        await harness.source.undrain('agent-1')
        await staysOut()
      })

      clause('stays disabled over a restart of the provisioner', [], async () => {
        await joined()
        await harness.disable('agent-1', 'at_once')
        await harness.source.drain('agent-1')
        await eventually(() => takesWork('agent-1')).toBe(false)
        const later = await harness.open()
        await later.read(harness.pool)
        await later.undrain('agent-1')
        await staysOut()
      })

      clause('accepts jobs again once that person enables it', [], async () => {
        await joined()
        await harness.disable('agent-1', 'at_once')
        await harness.source.drain('agent-1')
        await eventually(() => takesWork('agent-1')).toBe(false)
        await harness.source.undrain('agent-1')
        await harness.enable('agent-1')
        await eventually(() => takesWork('agent-1')).toBe(true)
        expect((await agent('agent-1'))!.disabledByPerson).toBeFalsy()
      })

      clause('can be drained and undrained by us once it was enabled', [], async () => {
        await joined()
        await harness.disable('agent-1', 'at_once')
        await harness.source.drain('agent-1')
        await harness.source.undrain('agent-1')
        await harness.enable('agent-1')
        await eventually(() => takesWork('agent-1')).toBe(true)
        await harness.source.drain('agent-1')
        await eventually(() => takesWork('agent-1')).toBe(false)
        await harness.source.undrain('agent-1')
        await eventually(() => takesWork('agent-1')).toBe(true)
      })
    })

    describe('onChange', () => {
      clause('calls back for jobs and for agents, with the pool', ['tells_changes'], async () => {
        const told: string[] = []
        harness.source.onChange((pool) => told.push(pool))
        await harness.submit(4)
        await eventually(() => told).toContain(harness.pool)
        told.length = 0
        await harness.join('agent-1', 4)
        await eventually(() => told).toContain(harness.pool)
      })

      clause('calls back after the change, so that read shows it', ['tells_changes'], async () => {
        const seen = new Promise<number>((resolve) => {
          harness.source.onChange((pool) => {
            void harness.source
              .read(pool)
              .then((demand) => demand.pending.length > 0 && resolve(demand.pending.length))
              // The last change may arrive while the source is being closed.
              .catch(() => {})
          })
        })
        await harness.submit(4)
        expect(await seen).toBe(1)
      })

      clause('continues when a listener fails', ['tells_changes'], async () => {
        const told: string[] = []
        harness.source.onChange(() => {
          throw new Error('a listener that fails')
        })
        harness.source.onChange((pool) => told.push(pool))
        await harness.submit(4)
        await eventually(() => told).toContain(harness.pool)
      })

      clause('calls no listener that was removed, and none after close', ['tells_changes'], async () => {
        const left: string[] = []
        const closed: string[] = []
        const leave = harness.source.onChange((pool) => left.push(pool))
        harness.source.onChange((pool) => closed.push(pool))
        leave()
        await harness.submit(4)
        await eventually(() => closed).toContain(harness.pool)
        expect(left).toEqual([])
        await harness.source.close()
        closed.length = 0
        const other = await harness.open()
        await harness.submit(2)
        await eventually(async () => (await other.read(harness.pool)).pending.length).toBe(2)
        expect(closed).toEqual([])
      })

      clause('can be removed twice', [], async () => {
        const leave = harness.source.onChange(() => {})
        leave()
        leave()
      })
    })

    describe('close', () => {
      clause('may be called twice', [], async () => {
        await harness.source.close()
        await harness.source.close()
      })
    })
  })
}
