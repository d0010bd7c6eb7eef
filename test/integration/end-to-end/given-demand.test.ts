// A provisioner without the built-in master: demand is passed in, and pools fail one by one.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import { loadConfig } from '../../support/config.ts'
import { type MemoryMaster, memoryMaster } from '../../support/memory-master.ts'
import { Cluster } from '../../support/stand-alone.ts'

let cluster: Cluster
let master: MemoryMaster
beforeEach(() => {
  cluster = new Cluster()
  master = memoryMaster()
  // Demand has times of this process's clock, as the contract requires.
  Object.defineProperty(master, 'now', { get: () => Date.now(), set: () => {} })
})
afterEach(() => cluster.dispose())

/** The file of one pool, with a second one that cannot run: the folder of its cloud is a file. */
async function withBrokenPool(): Promise<MasterConfig> {
  const { file } = await cluster.config('preflight: off')
  const broken = '  - pool_name: broken\n    provider: {type: local, preflight: off}\n'
  writeFileSync(file, readFileSync(file, 'utf8') + broken)
  const { config } = loadConfig(file)
  writeFileSync(join(cluster.dir, '.provision/local/broken'), 'not a folder')
  return config!
}

describe('a provisioner with a given demand source', () => {
  it('launches for it without its own master, and needs no key', async () => {
    await cluster.certificate()
    const config = await cluster.config('preflight: off')
    delete config.security.tls!.key
    master.work.set('w1', { id: 'w1', pool: 'default', slots: 1, since: Date.now() })
    const running = await cluster.start(config, { demand: master.open() })
    expect(running.master).toBeUndefined()
    await expect.poll(() => running.rows().map((row) => row.agent), { timeout: 60_000 }).toEqual(['waiting'])
    const [row] = running.rows()
    master.agents.set(row!.instance, {
      id: row!.instance,
      pool: 'default',
      slots: 1,
      connected: true,
      draining: false,
      idleSince: Date.now(),
    })
    master.changed('default')
    await expect.poll(() => running.rows()[0]).toMatchObject({ agent: 'joined', slots: 1 })
  })

  it('runs the other pools when one cannot run, and reports it', async () => {
    await cluster.certificate()
    mkdirSync(join(cluster.dir, '.provision/local'), { recursive: true })
    const running = await cluster.start(await withBrokenPool(), { demand: master.open() })
    const { pools, failed } = running.status()
    expect(pools.map(({ pool }) => pool)).toEqual(['default'])
    expect(failed.map(({ pool }) => pool)).toEqual(['broken'])
    await expect(running.pause('broken')).rejects.toMatchObject({ code: 'POOL_NOT_RUNNING' })
    await expect(running.pause('nobody')).rejects.toMatchObject({ code: 'POOL_UNKNOWN' })
    await running.pause('default')
    expect(running.status().pools[0]).toMatchObject({ paused: true })
  })
})
