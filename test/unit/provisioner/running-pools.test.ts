// Pools that restart while the provisioner stops, and demand from an instance of a foreign class.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { DemandSource } from '../../../src/demand/source.ts'
import type { Demand, Instance } from '../../../src/planner/snapshot.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { openPlans } from '../../../src/provisioner/plans.ts'
import { createRunningPools } from '../../../src/provisioner/pools.ts'
import { isProvided } from '../../../src/provisioner/prepare.ts'
import { wholeTerm } from '../../../src/provisioner/term.ts'
import { type CapturingLogger, capturingLogger } from '../../support/capturing-logger.ts'
import { parseConfig } from '../../support/config.ts'
import { storeIn } from '../../support/state-store.ts'

const text = `
resource_pools:
  - pool_name: here
    provider: {type: local, master_url: "http://127.0.0.1:8080", max_instances: 2, preflight: off}
`

/** With methods on its prototype, as in a foreign class. */
class QuietMaster implements DemandSource {
  readonly kind = 'push'
  readonly listeners = new Set<(pool: string) => void>()
  failing = false

  async read(pool: string): Promise<Demand> {
    return { pool, at: Date.now(), pending: [], agents: [] }
  }
  onChange(listener: (pool: string) => void): () => void {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
      if (this.failing) throw new Error('it does not let go')
    }
  }
  async drain(): Promise<boolean> {
    return false
  }
  async undrain(): Promise<boolean> {
    return false
  }
  async close(): Promise<void> {}
}

let folder: string
let logger: CapturingLogger
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'running-'))
  logger = capturingLogger()
})
afterEach(() => rmSync(folder, { recursive: true }))

async function started({
  more = '',
  providers = builtInProviders,
  clock = systemClock,
  onLocation = async () => {},
}: {
  /** Keys of the pool. */
  more?: string
  providers?: typeof builtInProviders
  clock?: typeof systemClock
  onLocation?: () => Promise<void>
} = {}) {
  const { config } = parseConfig(
    `state_dir: ${folder}\n${text.replace('}', `, ${more}}`)}`,
    join(folder, 'master.yaml'),
  )
  const { plans, problems } = await openPlans({
    config: () => config!,
    providers,
    certificate: () => undefined,
    identity: { clusterId: 'c', provisionerId: 'w', writerId: 'w', ownWriters: new Set(['w']) },
    now: Date.now,
    hosts: new Map(),
    localAgent: ['agent'],
  })
  if (!plans) throw new Error(JSON.stringify(problems))
  const running = createRunningPools(config!.resource_pools.filter(isProvided), { clock, logger })
  const demand = new QuietMaster()
  running.prepare({
    providers,
    plans,
    provisionerId: 'w',
    ownWriters: new Set(['w']),
    stateDir: config!.state_dir,
    store: storeIn(config!.state_dir, clock),
    demand,
    env: {},
    onEvent: () => {},
    onLocation,
    isFirstStart: async () => false,
    clock,
    logger,
    metrics: { count() {}, gauge() {}, observe() {} },
  })
  await running.start(wholeTerm)
  return { running, demand, config: config!, plans }
}

describe('running pools', () => {
  it('listen to demand from an instance of a class', async () => {
    const { running, demand } = await started()
    expect(running.status().failed).toEqual([])
    expect(demand.listeners.size).toBe(1)
    await running.stop()
    expect(demand.listeners.size).toBe(0)
  })

  it('tell where an instance listens, because a proof of its identity must come from there', async () => {
    const instances: Instance[] = []
    const providers = builtInProviders.map((definition) => ({
      ...definition,
      async open(context: Parameters<typeof definition.open>[0]) {
        const provider = await definition.open(context)
        const launch: typeof provider.launch = async ({ intent, owner }) => {
          const made: Instance = {
            ...{ id: 'local-1', pool: 'here', state: 'running', instanceType: 'local', zone: 'local' },
            ...{ capacityType: 'on_demand', launchedAt: Date.now() },
            ...{ intentId: intent.id, writerId: owner.writerId },
          }
          instances.push({ ...made, addresses: ['10.0.0.7', '2001:db8::7'] })
          return { instances: [made], failures: [] }
        }
        return { ...provider, launch, list: async () => ({ instances, complete: true, problems: [] }) }
      },
    }))
    const { running } = await started({ providers, more: 'min_instances: 1' })
    await expect
      .poll(() => running.launched('local-1')?.addresses, { timeout: 60_000 })
      .toEqual(['10.0.0.7', '2001:db8::7'])
    await running.stop()
  })

  it('open no journal and launch nothing at a location that is not noted yet', async () => {
    const noted = Promise.withResolvers<void>()
    const opening = started({ onLocation: () => noted.promise })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(existsSync(join(folder, 'fleet'))).toBe(false)
    noted.resolve()
    const { running } = await opening
    expect(existsSync(join(folder, 'fleet'))).toBe(true)
    await running.stop()
  })

  it('do not start where their location cannot be noted, and leave no provider open', async () => {
    const closed: string[] = []
    const providers = builtInProviders.map((definition) => ({
      ...definition,
      async open(context: Parameters<typeof definition.open>[0]) {
        const provider = await definition.open(context)
        return {
          ...provider,
          async close() {
            closed.push(provider.kind)
            await provider.close()
          },
        }
      },
    }))
    const gone = new ProvisionError(problem('STATE_UNREACHABLE', 'the database is gone'))
    const failing = started({ providers, onLocation: () => Promise.reject(gone) })
    await expect(failing).rejects.toThrow('the database is gone')
    expect(closed).toEqual(['local'])
    expect(existsSync(join(folder, 'fleet'))).toBe(false)
  })

  it('that could not be started are started at once when the reason may be gone', async () => {
    let isGone = true
    const { running } = await started({
      onLocation: async () => {
        if (isGone) throw new Error('the database is gone')
      },
    })
    expect(running.status()).toMatchObject({ pools: [], failed: [{ pool: 'here' }] })
    isGone = false
    running.retry('here')
    await vi.waitFor(() => expect(running.status().failed).toEqual([]), 3_000)
    running.retry('here')
    await running.stop()
  })

  it('that are being started when their journals are in doubt are started once more', async () => {
    const noted = Promise.withResolvers<void>()
    let starts = 0
    const { running } = await started({
      async onLocation() {
        if (++starts === 2) await noted.promise
      },
    })
    const restarting = running.restart('here')
    await vi.waitFor(() => expect(starts).toBe(2), 3_000)
    running.reopen()
    noted.resolve()
    await restarting
    await vi.waitFor(() => expect(starts).toBe(3), 3_000)
    await running.stop()
  })

  it('may launch again at once after a limit has changed that is part of the user data', async () => {
    const { running, demand, plans, config } = await started()
    const codes = () => running.status().pools[0]!.blocked.map(({ code }) => code)
    const before = plans.get('here').userData.sha256
    const [pool] = config.resource_pools.filter(isProvided)
    const provider = { ...pool!.provider, boot_timeout: 77_000 }
    await plans.use({ ...config, resource_pools: [{ ...pool!, provider }] }, () => {})
    expect(plans.get('here').userData.sha256).not.toBe(before)
    running.reconfigure('here')
    await vi.waitFor(() => {
      for (const listener of demand.listeners) listener('here')
      expect(codes()).toEqual([])
    }, 60_000)
    expect(running.get('here').fleet.status().policy.bootTimeout).toBe(77_000)
    await running.stop()
  })

  it('that restart while all are being stopped are stopped, too', async () => {
    const { running, demand } = await started()
    await Promise.all([running.restart('here'), running.stop()])
    expect(demand.listeners.size).toBe(0)
    await running.restart('here')
    expect(demand.listeners.size).toBe(0)
  })

  it('restart also when they did not stop correctly', async () => {
    const { running, demand } = await started()
    demand.failing = true
    await running.restart('here')
    expect(running.get('here')).toBeDefined()
    expect(logger.lines.join()).toContain('a pool could not be stopped')
    demand.failing = false
    await running.stop()
  })
})
