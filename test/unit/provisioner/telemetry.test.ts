// Readiness names what a provisioner cannot read, and calls are counted by outcome.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { DemandSource } from '../../../src/demand/source.ts'
import type { PoolStatus } from '../../../src/fleet/status.ts'
import { createPrometheusMetrics } from '../../../src/platform/metrics.ts'
import { problem } from '../../../src/problems/index.ts'
import type { LaunchFailure, Provider } from '../../../src/providers/contract.ts'
import { meteredDemand, meteredProvider } from '../../../src/provisioner/metered.ts'
import type { PoolsStatus } from '../../../src/provisioner/pools.ts'
import { openTelemetry } from '../../../src/provisioner/telemetry.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { snapshot } from '../../support/planner.ts'
import { silentLogger } from '../../support/silent-logger.ts'
import { storeIn } from '../../support/state-store.ts'

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function readiness(
  status: PoolsStatus,
  standby?: string,
): Promise<{ status: number; faults: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'telemetry-'))
  undo.push(() => rmSync(folder, { recursive: true }))
  const telemetry = openTelemetry({
    store: storeIn(folder),
    version: '1',
    status: () => status,
    orphans: () => ({ orphans: [], problems: [] }),
    certificate: () => undefined,
    standbyOf: () => standby,
    logger: silentLogger,
    clock: new FakeClock(),
  })
  undo.push(telemetry.close)
  const server = createServer(async (request, response) => {
    for (const handler of telemetry.handlers) if (await handler(request, response)) return
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  undo.push(() => server.close())
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/readyz`)
  const { faults } = (await answer.json()) as { faults: string[] }
  return { status: answer.status, faults }
}

function pool(name: string, codes: string[], started = true): PoolStatus {
  const blocked = codes.map((code) => ({ code, numbers: {} }))
  return { pool: name, blocked, ...(started ? { snapshot: snapshot() } : {}) } as unknown as PoolStatus
}

describe('readiness', () => {
  it('is reported when every pool reads its cloud and master, whatever else is blocked', async () => {
    const seen = { pools: [pool('gpu', ['MAX_REACHED', 'PAUSED'])], failed: [], elsewhere: [] }
    expect(await readiness(seen)).toEqual({ status: 200, faults: [] })
  })

  it('is not reported by a process that waits for another to end, so that a load balancer leaves it out', async () => {
    expect(await readiness({ pools: [], failed: [], elsewhere: ['gpu'] }, 'host-a')).toEqual({
      status: 503,
      faults: ['standby: host-a leads'],
    })
  })

  it('is not reported while a pool has no view, has not started, or could not be started', async () => {
    const failed = [{ pool: 'cpu', problems: [problem('PROVIDER_AUTH', 'no credentials')] }]
    const pools = [pool('gpu', ['DEMAND_MISSING', 'MAX_REACHED']), pool('new', [], false)]
    expect(await readiness({ pools, failed, elsewhere: [] })).toEqual({
      status: 503,
      faults: ['pool gpu: DEMAND_MISSING', 'pool new: not started', 'pool cpu: PROVIDER_AUTH'],
    })
  })
})

describe('a call', () => {
  const failure: LaunchFailure = {
    class: 'capacity',
    missing: 1,
    problem: problem('PROVIDER_CAPACITY', 'there are no more'),
  }
  const vm = { id: 'i1' } as never
  const nothing = { instances: [], failures: [failure] }

  it.each([
    ['list', 'done', { list: async () => ({ instances: [], complete: true, problems: [] }) }],
    ['list', 'partial', { list: async () => ({ instances: [], complete: false, problems: [] }) }],
    ['list', 'failed', { list: () => Promise.reject(new Error('gone')) }],
    ['launch', 'done', { launch: async () => ({ instances: [vm], failures: [] }) }],
    ['launch', 'partial', { launch: async () => ({ instances: [vm], failures: [failure] }) }],
    ['launch', 'failed', { launch: async () => nothing }],
    [
      'terminate',
      'failed',
      { terminate: async () => ({ terminated: [], failures: [{ id: 'i1', ...failure }] }) },
    ],
  ] as ['list' | 'launch' | 'terminate', string, Partial<Provider>][])(
    'to %s is counted as %s',
    async (call, outcome, provider) => {
      const metrics = createPrometheusMetrics()
      const metered = meteredProvider(provider as Provider, { pool: 'gpu', metrics, clock: new FakeClock() })
      await (metered[call] as (given: unknown) => Promise<unknown>)([]).catch(() => {})
      expect(await metrics.render()).toContain(
        `provisioner_call_seconds_count{pool="gpu",call="${call}",outcome="${outcome}"} 1`,
      )
    },
  )

  it('to a master that does not respond is counted as failed, and fails for its caller too', async () => {
    const metrics = createPrometheusMetrics()
    const source = { read: () => Promise.reject(new Error('away')) } as unknown as DemandSource
    const metered = meteredDemand(source, { pool: 'gpu', metrics, clock: new FakeClock() })
    await expect(metered.read('gpu')).rejects.toThrow('away')
    expect(await metrics.render()).toContain('call="demand",outcome="failed"} 1')
  })
})
