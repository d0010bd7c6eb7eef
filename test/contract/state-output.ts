// The state contract, fourth part: what jobs have printed.
import { once } from 'node:events'
import { describe, expect } from 'vitest'
import type { OutputChunk, OutputLine, OutputStore } from '../../src/state/output.ts'
import { type Clause, eventually } from '../../src/testing/clauses.ts'
import { startChild } from '../support/start-child.ts'
import { type Here, lastStep } from './state-failures.ts'
import type { StateAbility } from './state-harness.ts'
import { upTo } from './state-records.ts'

const odd = 'line "ü" \u0000 \ud800 \u2028 \n 😀 \\u0000 %s $1 \''

const line = (n: number, more: Partial<OutputLine> = {}): OutputLine => ({
  containerId: 'c-1',
  timestamp: '2026-11-29T10:25:31.190Z',
  stream: 'stdout',
  text: `line ${n}`,
  position: (n + 1) * 10,
  ...more,
})

/** Lines `first` to `first + count - 1`. */
const chunk = (first: number, count: number, more: Partial<OutputChunk> = {}): OutputChunk => ({
  allocation: 'job.1',
  first,
  lines: upTo(count, first).map((n) => line(n)),
  positions: { 'c-1': { stdout: (first + count) * 10, stderr: 0 } },
  kept: 0,
  ...more,
})

export function describeStateOutput(clause: Clause<StateAbility>, here: Here): void {
  const open = () => here.life().output()
  const refusal = (attempt: Promise<unknown>) =>
    attempt.then(
      () => 'done',
      (error) => error.code ?? error.message,
    )
  const texts = async (output: OutputStore, allocation = 'job.1') =>
    (await output.read(allocation)).lines.map(({ text }) => text)
  const lines = (count: number, first = 0) => upTo(count, first).map((n) => `line ${n}`)

  describe('the output of jobs', () => {
    clause('is nothing at first, and then what was stored, for the next start', [], async () => {
      const output = await open()
      expect([await output.allocations(), await output.heads(['job.1'])]).toEqual([[], new Map()])
      expect(await output.read('job.1')).toEqual({ count: 0, positions: {}, lines: [] })
      await output.append([chunk(0, 3), chunk(5, 2, { allocation: 'other.1' })])
      await output.append([chunk(3, 1)])
      await here.restart()
      const next = await open()
      expect(await next.read('job.1')).toEqual({
        count: 4,
        positions: { 'c-1': { stdout: 40, stderr: 0 } },
        lines: upTo(4).map((n) => line(n)),
      })
      expect(await next.heads(['job.1', 'other.1', 'none.1'])).toEqual(
        new Map([
          ['job.1', { count: 4, positions: { 'c-1': { stdout: 40, stderr: 0 } } }],
          ['other.1', { count: 7, positions: { 'c-1': { stdout: 70, stderr: 0 } } }],
        ]),
      )
      expect(await texts(next, 'other.1')).toEqual(lines(2, 5))
      await next.append([chunk(4, 1)])
      expect(await texts(next)).toEqual(lines(5))
    })

    clause('leaves the state as new as it was', [], async () => {
      await (await open()).append([chunk(0, 1)])
      await here.restart()
      expect(await here.life().store.identity.isNew()).toBe(true)
    })

    clause('is kept exactly, of any allocation', [], async () => {
      const output = await open()
      const names = ['a/b "ü" %', '../x', '~', `${'x'.repeat(300)}~`, `${'x'.repeat(300)}~2`]
      const { position: _, ...uncounted } = line(0, { text: odd, stream: 'agent', containerId: odd })
      for (const allocation of names)
        await output.append([
          { ...chunk(0, 1, { allocation }), lines: [uncounted, line(1, { text: allocation })] },
        ])
      await here.restart()
      const next = await open()
      expect((await next.allocations()).sort()).toEqual([...names].sort())
      for (const allocation of names)
        expect((await next.read(allocation)).lines).toEqual([uncounted, line(1, { text: allocation })])
    })

    clause('is the same when it is written again', [], async () => {
      const output = await open()
      await output.append([chunk(0, 3)])
      await output.append([chunk(0, 3)])
      await output.append([chunk(2, 3)])
      await here.restart()
      const next = await open()
      await next.append([chunk(3, 3)])
      expect(await next.read('job.1')).toMatchObject({ count: 6, positions: { 'c-1': { stdout: 60 } } })
      expect(await texts(next)).toEqual(lines(6))
    })

    clause('keeps the position of a container that printed long ago', [], async () => {
      const output = await open()
      const positions = { 'c-1': { stdout: 70, stderr: 3 }, 'c-2': { stdout: 0, stderr: 9 } }
      const text = 'x'.repeat(1_000)
      for (const n of upTo(300))
        await output.append([
          {
            ...chunk(n, 1, { positions, kept: Math.max(0, n - 20) }),
            lines: [line(n, { text, containerId: 'c-3' })],
          },
        ])
      await here.restart()
      expect((await (await open()).read('job.1')).positions).toMatchObject(positions)
    })

    clause('does not grow without end, and has what is needed', [], async () => {
      const output = await open()
      let most = 0
      const grow = async (from: number, to: number) => {
        for (let n = from; n < to; n += 10) {
          const lines = upTo(10, n).map((each) => line(each, { text: `${each} ${'x'.repeat(2_000)}` }))
          await output.append([{ ...chunk(n, 10, { kept: Math.max(0, n - 50) }), lines }])
          const kept = (await texts(output)).map((text) => Number(text.split(' ')[0]))
          expect(kept.slice(-60)).toEqual(upTo(Math.min(60, n + 10), Math.max(0, n - 50)))
          most = Math.max(most, await here.harness().size())
        }
      }
      await grow(0, 400)
      const before = most
      await grow(400, 1_200)
      expect(most).toBeLessThanOrEqual(1.2 * before)
    })

    clause('of a job that prints a line now and then takes little', [], async () => {
      const output = await open()
      for (const n of upTo(200)) await output.append([chunk(n, 1)])
      expect(await texts(output)).toEqual(lines(200))
      // Rows, or bytes.
      expect(await here.harness().size()).toBeLessThan(here.life().store.leases ? 20 : 60_000)
    })

    clause('is forgotten alone', [], async () => {
      const output = await open()
      await output.append(upTo(4).map((n) => chunk(0, 3, { allocation: `${n}` })))
      await output.forget(['1', '2', 'none'])
      await output.append([chunk(0, 1, { allocation: '2' })])
      await here.restart()
      const next = await open()
      expect((await next.allocations()).sort()).toEqual(['0', '2', '3'])
      expect(await texts(next, '2')).toEqual(lines(1))
    })

    clause('can be read by another while it is written', [], async () => {
      const output = await open()
      const reader = await here.harness().open()
      const found: number[] = []
      for (const n of upTo(50)) {
        const writing = output.append([chunk(n, 1)])
        found.push((await reader.openOutput({}).read('job.1')).count)
        await writing
      }
      for (const [n, count] of found.entries()) expect([n, n + 1]).toContain(count)
      expect(await texts(reader.openOutput({}))).toEqual(lines(50))
      await reader.close()
    })

    clause('has every line that was confirmed before a process is killed', ['processes'], async () => {
      for (const ms of [0, 7, 30]) {
        await here.life().end()
        const child = startChild('print', here.harness().settings!)
        await eventually(() => lastStep(child)).toBeGreaterThan(3)
        await new Promise((resolve) => setTimeout(resolve, ms))
        await child.kill()
        await here.restart()
        const output = await open()
        const found = (await output.read('job.1')).lines
        expect([lastStep(child) + 1, lastStep(child) + 2]).toContain(found.length)
        expect(found.map(({ text }) => text)).toEqual(upTo(found.length).map((n) => `line ${n}`))
        await output.forget(['job.1'])
      }
    })

    clause('is not written any more by who has lost the right', ['fences'], async () => {
      const output = await open()
      await output.append([chunk(0, 2)])
      await here.harness().takeRight!()
      expect(await refusal(output.append([chunk(2, 1)]))).toBe('STATE_RIGHT_LOST')
      expect(await refusal(output.forget(['job.1']))).toBe('STATE_RIGHT_LOST')
      expect(await texts(output)).toEqual(lines(2))
    })

    clause('is refused by a full disk, until there is room', ['fills'], async () => {
      const { settings, before } = await here.harness().small!()
      const child = startChild('flood', settings, before)
      await once(child.process, 'exit')
      expect(child.lines().slice(-3)).toEqual([expect.stringMatching(/^full \S/), 'still full', 'mended'])
    })

    clause(
      'is not written while the store is out of reach, and then as it was',
      ['disconnects'],
      async () => {
        const output = await open()
        await output.append([chunk(0, 2)])
        const restore = await here.harness().disconnect!()
        expect(await refusal(output.append([chunk(2, 2)]))).toBe('STATE_UNREACHABLE')
        expect(await refusal(output.read('job.1'))).toBe('STATE_UNREACHABLE')
        await restore()
        await eventually(() => refusal(output.append([chunk(2, 3)]))).toBe('done')
        expect(await texts(output)).toEqual(lines(5))
      },
    )
  })
}
