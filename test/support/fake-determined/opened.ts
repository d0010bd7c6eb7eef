// A fake master with a source of demand, in its own folder.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DemandConfig } from '../../../src/config/master-config.ts'
import { type DeterminedDemand, determinedDemand } from '../../../src/demand/determined/source.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import type { Clock } from '../../../src/platform/ports.ts'
import { type CapturingLogger, capturingLogger } from '../capturing-logger.ts'
import { type FakeDetermined, startFake } from './server.ts'
import { createWorld, type FakeWorld } from './world.ts'

export interface Opened {
  fake: FakeDetermined
  world: FakeWorld
  log: CapturingLogger
  dir: string
  /** Writes a file in the folder; returns its path. */
  write(name: string, text: string): string
  /** Another source for the same master. */
  open(options?: SourceOptions): DeterminedDemand
  dispose(): Promise<void>
}

export interface SourceOptions {
  demand?: Partial<DemandConfig>
  /** Certificate file of the configuration. */
  cert?: string
  clock?: Clock
  pollIntervalMs?: number
  timeoutMs?: number
  loginTimeoutMs?: number
  /** Variables that name a proxy. */
  env?: Record<string, string>
}

export async function openFake({
  tls,
  now,
}: {
  tls?: { cert: string; key: string }
  now?: () => number
} = {}): Promise<Opened> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'determined-')))
  const write = (name: string, text: string) => {
    const file = join(dir, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }
  const password_file = write('password', 'correct horse\n')
  const world = createWorld(now)
  const fake = await startFake(world, tls)
  const log = capturingLogger()
  const sources: DeterminedDemand[] = []
  return {
    fake,
    world,
    log,
    dir,
    write,
    open({
      demand,
      cert,
      clock = systemClock,
      pollIntervalMs = 30,
      timeoutMs = 5000,
      loginTimeoutMs,
      env = {},
    } = {}) {
      const source = determinedDemand({
        config: {
          locate: (path) => ({ file: join(dir, 'master.yaml'), path }),
          port: fake.port,
          security: cert ? { tls: { cert } } : {},
          demand: {
            type: 'determined',
            url: fake.url,
            ...(demand?.token_file === undefined && { user: 'provisioner', password_file }),
            placeholder_agent: false,
            ...demand,
          },
        },
        env,
        version: '0.0.0-test',
        clock,
        random: () => 0,
        logger: log,
        pollIntervalMs,
        timeoutMs,
        ...(loginTimeoutMs !== undefined && { loginTimeoutMs }),
      })
      sources.push(source)
      return source
    },
    async dispose() {
      await Promise.all(sources.map((source) => source.close()))
      await fake.stop().catch(() => {})
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
