// A process with an open state that a test kills: node state-child.ts <task> <settings as JSON>. Prints a line for each step.
import { setTimeout } from 'node:timers/promises'
import type { Clock } from '../../src/platform/ports.ts'
import { openStateStore, type StateConfig } from '../../src/state/open.ts'
import type { StoredJournal } from '../../src/state/store.ts'
import { silentLogger } from './silent-logger.ts'
import { underLeases, unleased } from './under-leases.ts'

export interface ChildSettings {
  config: StateConfig
  /** Milliseconds that its clock is ahead. */
  skew?: number
}

export type ChildTask = 'append' | 'rewrite' | 'hold' | 'fill' | 'start' | 'note' | 'bind' | 'print' | 'flood'

const tasks: Record<Exclude<ChildTask, 'start'>, () => Promise<void>> = {
  /** `appended N` once record N is stored. */
  async append() {
    for (let n = 0; ; n++) {
      await journal.append({ at: n, kind: 'test' })
      say(`appended ${n}`)
    }
  },
  /** Each rewrite has ten records with the same number. */
  async rewrite() {
    for (let n = 0; ; n++) {
      await journal.rewrite(
        Array.from({ length: 10 }, () => ({ at: n, kind: 'test', text: 'x'.repeat(1000) })),
      )
      say(`rewritten ${n}`)
    }
  },
  /** `noted N` once location N is noted. */
  async note() {
    for (let n = 0; ; n++) {
      await store.cluster.addLocation({ provider: 'test', location: { n: String(n) } })
      say(`noted ${n}`)
    }
  },
  /** `bound N` once the binding of i-N is stored. */
  async bind() {
    const hash = '0'.repeat(64)
    for (let n = 0; ; n++) {
      await store.join.bind({
        ...{ instance: `i-${n}`, pool: 'gpu', key: hash, issuer: hash },
        ...{ boundAt: n, expiresAt: n },
      })
      say(`bound ${n}`)
    }
  },
  /** `printed N` once line N is stored. */
  async print() {
    const output = await under.openOutput()
    for (let n = 0; ; n++) {
      await output.append([printed(n, `line ${n}`)])
      say(`printed ${n}`)
    }
  },
  /** Prints until that fails, then again, then needs less. */
  async flood() {
    const output = await under.openOutput()
    let n = 0
    try {
      for (; ; n++) await output.append([printed(n, noise(8_000))])
    } catch (error) {
      say(`full ${(error as Error).message}`)
    }
    await output.append([printed(n, noise(8_000))]).catch(() => say('still full'))
    await output.append([{ ...printed(n, 'less'), kept: n }])
    const { lines } = await output.read('job.1')
    if (lines.at(-1)?.text === 'less') say('mended')
  },
  async hold() {
    say('held')
    await setTimeout(600_000)
  },
  /** Appends until that fails, then again, then makes room. */
  async fill() {
    let n = 0
    const record = () => ({ at: n, kind: 'test', text: noise(8_000) })
    try {
      for (; ; n++) {
        await journal.append(record())
        say(`appended ${n}`)
      }
    } catch (error) {
      say(`full ${(error as Error).message}`)
    }
    await journal.append(record()).catch(() => say('still full'))
    await journal.rewrite([{ at: -1, kind: 'test' }])
    await journal.append({ at: -2, kind: 'test' })
    say('mended')
  },
}

/** As a provisioner starts; prints its identity. */
async function start(): Promise<void> {
  const { parseConfig } = await import('./config.ts')
  const { builtInProviders: providers } = await import('../../src/providers/index.ts')
  const { ensureIdentity } = await import('../../src/provisioner/identity.ts')
  const text = 'resource_pools: [{pool_name: here, provider: {type: local}}]'
  const { config: parsed } = parseConfig(text, 'master.yaml')
  say(JSON.stringify(await ensureIdentity({ config: parsed!, stored: store.identity, providers })))
}

function printed(first: number, text: string) {
  const lines = [{ containerId: 'c-1', timestamp: '', stream: 'stdout' as const, text }]
  return { allocation: 'job.1', first, lines, positions: {}, kept: 0 }
}

/** What no disk compresses. */
function noise(length: number): string {
  return Array.from({ length }, () => Math.random().toString(36)[2] ?? '0').join('')
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

const [task = '', settings = ''] = process.argv.slice(2)
const { config, skew = 0 }: ChildSettings = JSON.parse(settings)
const clock: Clock = {
  now: () => Date.now() + skew,
  sleep: (ms, signal) => setTimeout(ms, undefined, { signal }),
}
const store = await openStateStore(config, { clock, logger: silentLogger, env: {} })
let journal: StoredJournal
const alone = task === 'hold'
const release = await store.hold({ onLost: () => say('lost'), alone })
const under = alone ? unleased(store) : underLeases(store)
if (task === 'start') {
  await start()
} else {
  const opened = await under.open({ name: { pool: 'gpu' }, kind: 'test 1' })
  journal = opened.journal
  await tasks[task as keyof typeof tasks]()
  await journal.close()
}
await under.end()
await release()
await store.close()
