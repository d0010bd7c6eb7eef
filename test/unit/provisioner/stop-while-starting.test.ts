// A program that embeds the provisioner may stop it before it has started, as the loss of its state folder does.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { DemandSource } from '../../../src/demand/source.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { composeProvisioner } from '../../../src/provisioner/provisioner.ts'
import { parseConfig } from '../../support/config.ts'
import { silentLogger } from '../../support/silent-logger.ts'

it('leaves nothing running when it is stopped during the start, and does not start again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stopping-'))
  const listeners = new Set<unknown>()
  const demand: DemandSource = {
    kind: 'push',
    read: async (pool) => ({ pool, at: Date.now(), pending: [], agents: [] }),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    drain: async () => false,
    undrain: async () => false,
    close: async () => {},
  }
  const { config } = parseConfig(
    `state_dir: ${folder}
resource_pools:
  - pool_name: here
    provider: {type: local, master_url: "http://127.0.0.1:8080", max_instances: 2, preflight: off}
`,
    join(folder, 'master.yaml'),
  )
  const provisioner = composeProvisioner({
    providers: builtInProviders,
    config: config!,
    demand,
    version: '0',
    env: {},
    localAgent: ['agent'],
    clock: systemClock,
    logger: silentLogger,
  })
  await Promise.all([provisioner.start(), provisioner.stop()])
  expect(listeners.size).toBe(0)
  expect(readdirSync(folder)).not.toContain('control.sock')
  expect(readdirSync(folder)).not.toContain('lock')
  await expect(provisioner.start()).rejects.toThrow('stopped')
  rmSync(folder, { recursive: true })
})
