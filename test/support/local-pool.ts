// A pool of local VMs in its own folder, for tests that start real processes.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/platform/clock.ts'
import type { Clock } from '../../src/platform/ports.ts'
import type { LaunchOrder, Ownership, Provider } from '../../src/providers/contract.ts'
import type { InstanceRecord } from '../../src/providers/local/instance-record.ts'
import { create } from '../../src/providers/local/provider.ts'
import type { LocalConfig } from '../../src/providers/local/request.ts'
import { silentLogger } from './silent-logger.ts'

export interface LocalPool {
  dir: string
  owner: Ownership
  open(options?: Partial<OpenOptions>): Promise<Provider>
  order(script: string, count?: number, owner?: Ownership): LaunchOrder
  record(id: string): InstanceRecord
  /** The VM's root directory. */
  root(id: string): string
  file(id: string, name: string): string
  /** Terminates what still runs and removes the folder. */
  dispose(): Promise<void>
}

interface OpenOptions {
  config: LocalConfig
  owner: Ownership
  clock: Clock
  env: Record<string, string | undefined>
  stateDir: string
  mayAct: () => boolean
}

/** A VM that only runs. */
export const idleScript = 'exec sleep 300\n'

export function localPool(): LocalPool {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'local-pool-')))
  const owner = { clusterId: randomUUID(), pool: 'default', writerId: randomUUID() }
  const pools: Ownership[] = [owner]

  function open(options: Partial<OpenOptions> = {}): Promise<Provider> {
    if (options.owner) pools.push(options.owner)
    return create({
      config: { type: 'local', slots: 4, join: { proof: 'off' } } as LocalConfig,
      owner,
      master: { scheme: 'https', host: '127.0.0.1', port: 8443 },
      stateDir: dir,
      env: { PATH: process.env['PATH'] },
      clock: systemClock,
      logger: silentLogger,
      ...options,
    })
  }

  return {
    dir,
    owner,
    open,
    order: (script, count = 1, orderOwner = owner) => ({
      intent: {
        id: randomUUID(),
        count,
        offerings: [{ instanceType: 'local', zone: '', capacityType: 'on_demand', slots: 4 }],
      },
      owner: orderOwner,
      userData: {
        script,
        encoding: 'plain',
        packed: Buffer.from(script),
        bytes: { script: script.length, packed: script.length },
        sha256: '',
      },
    }),
    record: (id) => JSON.parse(readFileSync(join(dir, id, 'vm.json'), 'utf8')) as InstanceRecord,
    root: (id) => join(dir, id),
    file: (id, name) => join(dir, id, name),
    async dispose() {
      // A folder that a test has damaged reports an error; its healthy VMs are terminated nevertheless.
      for (const each of [...pools]) await (await open({ owner: each })).close().catch(() => {})
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
