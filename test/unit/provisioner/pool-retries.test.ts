// An unexpected error in a pool's start or in its preflight is retried; it ends neither the pool nor the program.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { DemandSource } from '../../../src/demand/source.ts'
import { ProvisionError, problem } from '../../../src/problems/index.ts'
import { withProviders } from '../../../src/providers/definition.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { createPoolRetries } from '../../../src/provisioner/pool-retries.ts'
import { preflightGate } from '../../../src/provisioner/preflight-gate.ts'
import type { ReadyPlan } from '../../../src/provisioner/prepare.ts'
import { composeProvisioner, type Provisioner } from '../../../src/provisioner/provisioner.ts'
import { userDataOf } from '../../../src/testing/order.ts'
import { type CapturingLogger, capturingLogger } from '../../support/capturing-logger.ts'
import { parseConfig } from '../../support/config.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FastClock } from '../../support/fast-clock.ts'
import { type Launches, ownRack } from '../../support/own-provider.ts'

let folder: string
let logger: CapturingLogger
let running: Provisioner | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'retries-'))
  logger = capturingLogger()
})
afterEach(async () => {
  await running?.stop()
  running = undefined
  rmSync(folder, { recursive: true })
})

/** A provisioner of these pools on a rack whose pools fail to open as `faultOf` returns. */
function provisioner(
  pools: string[],
  faultOf: (pool: string) => unknown,
  launches: Launches = [],
): Provisioner {
  const rack = ownRack(launches)
  const failing = {
    ...rack,
    open: async (context: Parameters<typeof rack.open>[0]) => {
      const fault = faultOf(context.owner.pool)
      if (fault) throw fault
      return rack.open(context)
    },
  }
  const providers = withProviders(builtInProviders, [failing])
  const block = 'type: rack, rack: r1, min_instances: 1, master_url: "http://127.0.0.1:8080", preflight: off'
  const text = `state_dir: ${folder}\ncluster_id: racks\ndemand: {type: push}\nresource_pools:\n${pools
    .map((pool) => `  - {pool_name: ${pool}, provider: {${block}}}\n`)
    .join('')}`
  const { config, problems } = parseConfig(text, join(folder, 'master.yaml'), { providers })
  if (!config) throw new Error(JSON.stringify(problems))
  const clock = new FastClock(20)
  const demand: DemandSource = {
    kind: 'push',
    read: async (pool) => ({ pool, at: clock.now(), pending: [], agents: [] }),
    onChange: () => () => {},
    drain: async () => true,
    undrain: async () => true,
    close: async () => {},
  }
  running = composeProvisioner({ config, providers, demand, version: '0', env: {}, clock, logger })
  return running
}

describe('a pool whose start fails', () => {
  it('for an unexpected reason is retried, even if it is the only pool', async () => {
    let opened = 0
    const launches: Launches = []
    const started = provisioner(
      ['p'],
      () => (opened++ < 2 ? new RangeError('Invalid time value') : undefined),
      launches,
    )
    await started.start()
    expect(started.status()).toMatchObject({
      pools: [],
      failed: [
        {
          pool: 'p',
          problems: [
            {
              code: 'POOL_START_FAILED',
              message: 'pool p could not be started: Invalid time value; the start is retried',
            },
          ],
        },
      ],
    })
    await vi.waitFor(() => expect(launches.length).toBeGreaterThan(0), { timeout: 60_000, interval: 20 })
    expect(started.status()).toMatchObject({ pools: [{ pool: 'p' }], failed: [] })
    // Reported once, not at each retry.
    expect(logger.lines.filter((line) => line.includes('a pool could not be started'))).toHaveLength(1)
    expect(opened).toBe(3)
  })

  it('for a known reason is retried beside the others, and fails the start when there is no other', async () => {
    const known = new ProvisionError(problem('PROVIDER_TRANSIENT', 'no answer'))
    let isOpen = false
    const started = provisioner(['good', 'bad'], (pool) => (pool === 'bad' && !isOpen ? known : undefined))
    await started.start()
    expect(started.status().failed).toMatchObject([{ pool: 'bad', problems: [{ message: 'no answer' }] }])
    isOpen = true
    await vi.waitFor(() => expect(started.status().failed).toEqual([]), { timeout: 60_000, interval: 20 })
    await started.stop()
    await expect(provisioner(['bad'], () => known).start()).rejects.toThrow('no answer')
  })

  it('is not retried once the program stops', async () => {
    let opened = 0
    const started = provisioner(['p'], () => {
      opened++
      return new Error('never')
    })
    await started.start()
    await started.stop()
    const then = opened
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(opened).toBe(then)
  })
})

describe('retries', () => {
  it('come after longer and longer pauses, of five minutes at most, until one succeeds', async () => {
    const clock = new FakeClock()
    const at: number[] = []
    const start = clock.now()
    const retries = createPoolRetries((pool) => {
      at.push(clock.now() - start)
      if (at.length < 12) retries.failed(pool)
      else retries.succeeded(pool)
    }, clock)
    retries.failed('p')
    await clock.advance(3 * 3_600_000)
    expect(at).toHaveLength(12)
    const waits = at.map((time, index) => time - (at[index - 1] ?? 0))
    expect(waits[0]).toBeGreaterThanOrEqual(5000)
    expect(waits[1]).toBeGreaterThan(waits[0]!)
    expect(Math.max(...waits)).toBeLessThanOrEqual(375_000)
    retries.failed('p')
    await clock.advance(6_300)
    expect(at).toHaveLength(13)
  })
})

it('a preflight that fails for an unexpected reason launches nothing, and is retried', async () => {
  const clock = new FakeClock()
  let faults = 2
  const plan = {
    pool: { pool_name: 'p', provider: { preflight: 'off' } },
    setup: { master: {} },
    userData: userDataOf('#!/bin/bash\n'),
  } as unknown as ReadyPlan
  const asked = () => {
    if (faults-- > 0) throw new RangeError('Invalid time value')
    return plan
  }
  let isFirst = true
  const gate = preflightGate({
    plan: () => {
      if (!isFirst) return asked()
      isFirst = false
      return plan
    },
    clock,
    logger,
  })
  await gate.ask()
  expect(gate.launchInputs()).toMatchObject({
    kind: 'refused',
    problem: { code: 'PREFLIGHT_FAILED', message: expect.stringContaining('Invalid time value') },
  })
  await clock.advance(10_000)
  await clock.advance(10_000)
  expect(gate.launchInputs()).toMatchObject({ kind: 'ready' })
  gate.stop()
  expect(logger.lines.filter((line) => line.includes('Invalid time value'))).toHaveLength(1)
})
