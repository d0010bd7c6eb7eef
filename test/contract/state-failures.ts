// The state contract, second part: crashes, disks and connections that fail, and several processes.
import { once } from 'node:events'
import { describe, expect } from 'vitest'
import { type Clause, eventually } from '../../src/testing/clauses.ts'
import { type Child, startChild } from '../support/start-child.ts'
import type { Life } from './state-contract.ts'
import type { StateAbility, StateHarness } from './state-harness.ts'
import { numbers, record, upTo } from './state-records.ts'

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
/** Of the last step that the child has printed. */
export const lastStep = (child: Child) => Number(child.lines().at(-1)?.split(' ')[1])

/** The test's own process with the state. */
export interface Here {
  harness(): StateHarness
  life(): Life
  /** Ends it, if it has not ended, and begins the next once the state is free. */
  restart(): Promise<Life>
}

export function describeStateFailures(clause: Clause<StateAbility>, here: Here): void {
  /** Another process has the state in between. */
  async function meanwhile(act: (harness: StateHarness) => Promise<void>): Promise<Life> {
    await here.life().end()
    await act(here.harness())
    return here.restart()
  }

  describe('a process that is killed', () => {
    clause('loses no record whose append was confirmed, and adds at most one', ['processes'], async () => {
      for (const ms of [0, 3, 11, 40]) {
        let confirmed = -1
        const life = await meanwhile(async ({ settings }) => {
          const child = startChild('append', settings!)
          await eventually(() => lastStep(child)).toBeGreaterThan(3)
          await pause(ms)
          await child.kill()
          confirmed = lastStep(child)
        })
        const { records, problems, journal } = await life.journal()
        expect([confirmed + 1, confirmed + 2]).toContain(records.length)
        expect(numbers(records)).toEqual(upTo(records.length))
        expect(problems.map(({ code }) => code).filter((code) => code !== 'JOURNAL_SET_ASIDE')).toEqual([])
        await journal.rewrite([])
      }
    })

    clause('during a rewrite leaves all of the old records or all of the new', ['processes'], async () => {
      for (const ms of [0, 5, 17, 30]) {
        let confirmed = -1
        const life = await meanwhile(async ({ settings }) => {
          const child = startChild('rewrite', settings!)
          await eventually(() => lastStep(child)).toBeGreaterThan(1)
          await pause(ms)
          await child.kill()
          confirmed = lastStep(child)
        })
        const { records, problems } = await life.journal()
        expect([records.length, problems]).toEqual([10, []])
        expect([confirmed, confirmed + 1]).toContain(records[0]!.at)
        expect(new Set(numbers(records)).size).toBe(1)
      }
    })

    clause('gives up the right to the state', ['processes'], async () => {
      await meanwhile(async ({ settings }) => {
        const child = startChild('hold', settings!)
        await eventually(() => child.lines()).toEqual(['held'])
        await child.kill()
      })
    })
  })

  describe('two processes', () => {
    clause('never have the state at once: the second is told who has it', ['processes'], async () => {
      await meanwhile(async (harness) => {
        const child = startChild('hold', harness.settings!)
        await eventually(() => child.lines()).toEqual(['held'])
        const store = await harness.open()
        const refusal = await store.hold({ onLost() {}, alone: true }).catch((thrown) => thrown)
        expect(refusal.code).toBe('LOCK_HELD')
        expect(refusal.message).toContain(`process ${child.process.pid} on `)
        await store.close()
        await child.kill()
      })
    })

    clause('have it one after the other, whatever their clocks show', ['processes'], async () => {
      for (const skew of [-300_000, 300_000]) {
        await meanwhile(async (harness) => {
          const child = startChild('hold', { ...harness.settings!, skew })
          await eventually(() => child.lines()).toEqual(['held'])
          for (const ours of [0, -300_000, 300_000]) {
            const clock = { now: () => Date.now() + ours, sleep: () => new Promise<void>(() => {}) }
            const store = await harness.open(clock)
            const refusal = await store.hold({ onLost() {}, alone: true }).catch((thrown) => thrown)
            expect(refusal.code, `${skew} against ${ours}`).toBe('LOCK_HELD')
            await store.close()
          }
          await child.kill()
        })
      }
    })

    clause('of which one has lost the right: it writes nothing more, and learns it', ['fences'], async () => {
      const harness = here.harness()
      await here.life().end()
      const store = await harness.open()
      let lost = false
      const release = await store.hold({ onLost: () => (lost = true), alone: true })
      const { journal } = await store.openJournal({ name: { pool: 'gpu' }, kind: 'test 1' })
      await journal.append(record(1))
      await harness.takeRight!()
      for (const write of [() => journal.append(record(2)), () => journal.rewrite([record(3)])])
        expect((await write().catch((thrown) => thrown)).code).toBe('STATE_RIGHT_LOST')
      await eventually(() => lost).toBe(true)
      await release()
      await store.close()
      const next = await here.restart()
      expect(numbers((await next.journal()).records)).toEqual([1])
    })
  })

  describe('a disk', () => {
    clause('that lost the end of the last record costs that record only', ['tears'], async () => {
      const { journal } = await here.life().journal()
      for (const n of upTo(3)) await journal.append(record(n))
      await here.life().end()
      await here.harness().tear!('gpu')
      const next = await here.restart()
      const opened = await next.journal()
      expect(numbers(opened.records)).toEqual([0, 1])
      expect(opened.problems).toMatchObject([{ code: 'JOURNAL_SET_ASIDE' }])
      await opened.journal.append(record(9))
      expect(numbers(await opened.journal.read())).toEqual([0, 1, 9])
    })

    clause('that is full fails the append, until a rewrite makes room', ['fills'], async () => {
      const { settings, before } = await here.harness().small!()
      const child = startChild('fill', settings, before)
      await once(child.process, 'exit')
      const lines = child.lines()
      expect(lines.slice(-3)).toEqual([expect.stringMatching(/^full \S/), 'still full', 'mended'])
      expect(lines.filter((line) => line.startsWith('appended')).length).toBeGreaterThan(5)
    })

    clause('that is slow delays appends, which wait together', ['slows'], async () => {
      const { journal } = await here.life().journal()
      const undo = await here.harness().slow!(300)
      const from = performance.now()
      const stored: number[] = []
      const all = upTo(40).map((n) => journal.append(record(n)).then(() => stored.push(n)))
      await pause(150)
      expect(stored).toEqual([])
      await Promise.all(all)
      expect(performance.now() - from).toBeLessThan(40 * 300)
      expect(stored).toEqual(upTo(40))
      await undo()
      expect(numbers(await journal.read())).toEqual(upTo(40))
    })
  })

  describe('a connection', () => {
    clause('that is lost fails writes with one code, until it is back', ['disconnects'], async () => {
      const { journal } = await here.life().journal()
      await journal.append(record(1))
      const restore = await here.harness().disconnect!()
      const from = performance.now()
      for (const write of [() => journal.append(record(2)), () => journal.rewrite([record(3)])])
        expect((await write().catch((thrown) => thrown)).code).toBe('STATE_UNREACHABLE')
      expect(performance.now() - from).toBeLessThan(15_000)
      await restore()
      const back = performance.now()
      await eventually(() =>
        journal.rewrite([record(4)]).then(
          () => 'written',
          (error) => error.code,
        ),
      ).toBe('written')
      expect(performance.now() - back).toBeLessThan(5_000)
      await journal.append(record(5))
      expect(numbers(await journal.read())).toEqual([4, 5])
    })
  })
}
