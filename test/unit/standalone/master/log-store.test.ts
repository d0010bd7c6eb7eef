// The last lines of each job: bounded, counted, and stored soon, whatever the store does.
import { beforeEach, describe, expect, it } from 'vitest'
import { createLogStore, type LogStore, openStoredLogs } from '../../../../src/standalone/master/log-store.ts'
import type { ContainerLog } from '../../../../src/standalone/protocol/messages.ts'
import { joinOutput, type OutputChunk, type OutputStore } from '../../../../src/state/output.ts'
import { capturingLogger } from '../../../support/capturing-logger.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const line = (Value: string, Position?: number, ContainerID = 'c', StdType = 1): ContainerLog => ({
  ...{ ContainerID, Timestamp: 't', Level: null, PullMessage: null, AuxMessage: null },
  ...{ RunMessage: { Value, StdType }, Position },
})

describe('the output lines of a command', () => {
  let logs: LogStore
  beforeEach(() => {
    logs = createLogStore()
  })

  it('are kept up to a thousand, the last ones', () => {
    for (let i = 0; i < 1200; i++) logs.add('w', line(`line ${i}`))
    expect(logs.read('w')).toHaveLength(1000)
    expect(logs.read('w').at(0)?.text).toBe('line 200')
  })

  it("can be read from a reader's position, whatever was dropped since", () => {
    for (let i = 0; i < 1200; i++) logs.add('w', line(`line ${i}`))
    expect(logs.count('w')).toBe(1200)
    expect(logs.read('w', 1198).map(({ text }) => text)).toEqual(['line 1198', 'line 1199'])
    expect(logs.read('w', 1200)).toEqual([])
    expect(logs.read('w', 5)).toHaveLength(1000)
    expect([logs.read('never'), logs.count('never')]).toEqual([[], 0])
  })

  it('are kept up to 256 Ki characters, each cut at 16 Ki', () => {
    for (let i = 0; i < 40; i++) logs.add('w', line('x'.repeat(100_000)))
    expect(logs.read('w')).toHaveLength(16)
    expect(logs.read('w')[0]!.text).toHaveLength(16_384)
  })

  it('that arrive again, by their position, are there once', () => {
    for (const at of [1, 2, 2, 1, 3]) logs.add('w', line(`${at}`, at))
    logs.add('w', line('error', 2, 'c', 2))
    logs.add('w', line('other', 1, 'd'))
    expect(logs.read('w')).toEqual(
      ['1', '2', '3', 'error', 'other'].map((text) => ({
        ...{ containerId: text === 'other' ? 'd' : 'c', timestamp: 't', text },
        stream: text === 'error' ? 'stderr' : 'stdout',
      })),
    )
    expect(logs.received('w', 'c')).toEqual({ Stdout: 3, Stderr: 2 })
    expect([logs.received('w', 'd'), logs.received('v', 'c')]).toEqual([
      { Stdout: 1, Stderr: 0 },
      { Stdout: 0, Stderr: 0 },
    ])
  })
})

/** The port in memory; fails, or waits, when it is told to. */
function memoryOutput() {
  const all = new Map<string, OutputChunk[]>()
  const appends: OutputChunk[][] = []
  let fault: Error | undefined
  let gate: Promise<void> | undefined
  const read = (id: string) => {
    const chunks = all.get(id) ?? []
    const kept = chunks.at(-1)?.kept ?? 0
    const numbered = chunks.flatMap(({ first, lines }) =>
      lines.map((each, n) => [first + n, each] as const).filter(([n]) => n >= kept),
    )
    return joinOutput(numbered, { count: 0, positions: chunks.at(-1)?.positions ?? {} })
  }
  const output: OutputStore = {
    allocations: async () => [...all.keys()],
    heads: async (ids) => new Map(ids.filter((id) => all.has(id)).map((id) => [id, read(id)])),
    async read(id) {
      if (fault) throw fault
      return read(id)
    },
    async append(chunks) {
      appends.push([...chunks])
      await gate
      if (fault) throw fault
      for (const chunk of chunks) all.set(chunk.allocation, [...(all.get(chunk.allocation) ?? []), chunk])
    },
    async forget(ids) {
      if (fault) throw fault
      for (const id of ids) all.delete(id)
    },
  }
  return {
    output,
    appends,
    texts: (id: string) => read(id).lines.map(({ text }) => text),
    fail: (error?: Error) => {
      fault = error
    },
    hold: (until?: Promise<void>) => {
      gate = until
    },
  }
}

describe('stored output', () => {
  let clock: FakeClock
  let memory: ReturnType<typeof memoryOutput>
  let logger: ReturnType<typeof capturingLogger>
  let logs: LogStore
  beforeEach(async () => {
    clock = new FakeClock()
    memory = memoryOutput()
    logger = capturingLogger()
    logs = await open()
  })

  /** As a start does with these allocations. */
  async function open(states: Record<string, string> = {}, stateLost = false): Promise<LogStore> {
    const allocations = new Map(Object.entries(states).map(([id, state]) => [id, { id, state } as never]))
    const { output } = memory
    return createLogStore(undefined, await openStoredLogs({ output, clock, logger, allocations, stateLost }))
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve))

  it('is written once a second, all allocations together', async () => {
    for (let n = 0; n < 30; n++) {
      logs.add(`${n % 3}`, line(`${n}`))
      await clock.advance(100)
    }
    expect(memory.appends.map((chunks) => chunks.length)).toEqual([3, 3, 3])
    await clock.advance(5_000)
    expect(memory.appends).toHaveLength(3)
    expect(memory.texts('1')).toEqual(['1', '4', '7', '10', '13', '16', '19', '22', '25', '28'])
  })

  it('does not wait when there is much of it, nor when its job is over', async () => {
    for (let n = 0; n < 5; n++) logs.add('w', line('x'.repeat(16_384)))
    await turn()
    expect(memory.texts('w')).toHaveLength(5)
    logs.add('v', line('last words'))
    await logs.flush('v')
    expect(memory.texts('v')).toEqual(['last words'])
    logs.add('v', line('more'))
    await turn()
    expect(memory.texts('v')).toHaveLength(1)
  })

  it('that is over can be waited for, but not for long, and not while nothing can be stored', async () => {
    const over: string[] = []
    const flush = (id: string) => void logs.flush(id).then(() => over.push(id))
    const gate = Promise.withResolvers<void>()
    flush('silent')
    await turn()
    memory.hold(gate.promise)
    logs.add('w', line('first'))
    flush('w')
    await turn()
    logs.add('w', line('last'))
    await clock.advance(1_900)
    expect(over).toEqual(['silent'])
    memory.hold()
    gate.resolve()
    await turn()
    expect([over, memory.texts('w')]).toEqual([
      ['silent', 'w'],
      ['first', 'last'],
    ])
    memory.hold(new Promise(() => {}))
    logs.add('slow', line('1'))
    flush('slow')
    await clock.advance(1_999)
    expect(over).toEqual(['silent', 'w'])
    await clock.advance(1)
    expect(over).toEqual(['silent', 'w', 'slow'])
  })

  it('that cannot be stored lets a job end', async () => {
    memory.fail(new Error('disk full'))
    logs.add('w', line('1'))
    let isOver = false
    void logs.flush('w').then(() => {
      isOver = true
    })
    await turn()
    await turn()
    expect(isOver).toBe(true)
  })

  it('of a slow store waits in memory, which has its bounds', async () => {
    const gate = Promise.withResolvers<void>()
    memory.hold(gate.promise)
    logs.add('w', line('0'))
    await clock.advance(1_000)
    for (let n = 1; n < 5_000; n++) logs.add('w', line(`${n}`))
    await clock.advance(10_000)
    expect(memory.appends).toHaveLength(1)
    expect(logs.read('w').at(-1)?.text).toBe('4999')
    memory.hold()
    gate.resolve()
    await turn()
    await clock.advance(1_000)
    expect(memory.appends[1]).toMatchObject([{ allocation: 'w', first: 4_000, kept: 4_000 }])
    const next = await open({ w: 'running' })
    await next.load('w')
    expect([next.count('w'), next.read('w', 4_998).map(({ text }) => text)]).toEqual([
      5_000,
      ['4998', '4999'],
    ])
  })

  it('that cannot be written stays, and that is logged once', async () => {
    memory.fail(new Error('disk full'))
    for (let n = 0; n < 20; n++) {
      logs.add('w', line(`${n}`))
      await clock.advance(1_000)
    }
    expect(memory.appends.length).toBeLessThan(13)
    expect(logger.lines.filter((each) => each.startsWith('warn'))).toHaveLength(1)
    expect(logger.lines[0]).toContain('disk full')
    expect(logs.read('w')).toHaveLength(20)
    memory.fail()
    await clock.advance(2_000)
    expect(memory.texts('w')).toHaveLength(20)
    expect(logger.lines.at(-1)).toMatch(/^info .*can be stored again/)
  })

  it('is there after a restart, with its count and positions', async () => {
    for (let n = 0; n < 1_500; n++) logs.add('w', line(`${n}`, n + 1))
    logs.add('over', line('done'))
    await logs.close()
    const next = await open({ w: 'running', over: 'finished' })
    expect([next.count('w'), next.received('w', 'c')]).toEqual([1_500, { Stdout: 1_500, Stderr: 0 }])
    next.add('w', line('1499', 1_500))
    next.add('w', line('1500', 1_501))
    await next.load('w')
    await next.load('over')
    expect(next.read('w', 1_498).map(({ text }) => text)).toEqual(['1498', '1499', '1500'])
    expect([next.read('w').length, next.read('w')[0]!.text, next.count('w')]).toEqual([1_000, '501', 1_501])
    expect([next.read('over').map(({ text }) => text), next.count('over')]).toEqual([['done'], 1])
    await next.close()
    expect(memory.texts('w').at(-1)).toBe('1500')
  })

  it('of earlier starts that nobody has read stays, as far as it is one of the last lines', async () => {
    for (let n = 0; n < 20; n++) {
      const next = await open({ w: 'running' })
      for (let i = 0; i < 100; i++) next.add('w', line(`${n * 100 + i}`))
      await next.close()
    }
    const last = await open({ w: 'running' })
    await last.load('w')
    expect(last.read('w').map(({ text }) => Number(text))).toEqual(
      Array.from({ length: 1_000 }, (_, n) => 1_000 + n),
    )
    expect(memory.texts('w')).toHaveLength(1_000)
    for (let n = 0; n < 300; n++) last.add('w', line('x'.repeat(1_024)))
    await last.close()
    expect(memory.texts('w')).toHaveLength(256)
  })

  it('is loaded once, also by several readers, and again where that failed', async () => {
    logs.add('w', line('one'))
    await logs.close()
    const next = await open({ w: 'finished' })
    memory.fail(new Error('out of reach'))
    await next.load('w')
    expect(next.read('w')).toEqual([])
    memory.fail()
    await Promise.all([next.load('w'), next.load('w')])
    await next.load('w')
    expect(next.read('w').map(({ text }) => text)).toEqual(['one'])
  })

  it('is removed with its allocation, also while it is being written', async () => {
    logs.add('v', line('one'))
    logs.add('w', line('one'))
    await clock.advance(1_000)
    const gate = Promise.withResolvers<void>()
    memory.hold(gate.promise)
    logs.add('w', line('two'))
    await clock.advance(1_000)
    logs.forget('w')
    gate.resolve()
    memory.hold()
    await turn()
    await clock.advance(1_000)
    expect(await memory.output.allocations()).toEqual(['v'])
    expect([logs.count('w'), logs.read('w')]).toEqual([0, []])
  })

  it('of no allocation is removed by a start, unless allocations may be missing', async () => {
    logs.add('v', line('one'))
    logs.add('w', line('one'))
    await logs.close()
    await open({ v: 'running' }, true)
    expect(await memory.output.allocations()).toEqual(['v', 'w'])
    await open({ v: 'running' })
    expect(await memory.output.allocations()).toEqual(['v'])
  })

  it('is written once more when the master stops, and then never', async () => {
    logs.add('w', line('one'))
    await logs.close()
    expect(memory.texts('w')).toEqual(['one'])
    logs.add('w', line('two'))
    await clock.advance(10_000)
    expect(memory.appends).toHaveLength(1)
  })
})
