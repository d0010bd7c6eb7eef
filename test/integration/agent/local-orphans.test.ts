// Processes of local pools that an earlier provisioner left running and that belong to no configured pool.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { openCluster } from '../../../src/providers/local/provider.ts'
import { idleScript, localPool } from '../../support/local-pool.ts'
import { silentLogger } from '../../support/silent-logger.ts'

it('are found by the tag of their cluster and terminated; those of another cluster are refused', async () => {
  const stateDir = realpathSync(mkdtempSync(join(tmpdir(), 'local-orphans-')))
  const pool = localPool()
  onTestFinished(async () => {
    await pool.dispose()
    rmSync(stateDir, { recursive: true, force: true })
  })
  const owners = [
    { ...pool.owner, pool: 'gpu' },
    { ...pool.owner, pool: 'other' },
    { ...pool.owner, clusterId: 'stranger', pool: 'theirs' },
  ]
  const opened = await Promise.all(
    owners.map((owner) => pool.open({ owner, stateDir: join(stateDir, 'local', owner.pool) })),
  )
  onTestFinished(async () => {
    for (const provider of opened) await provider.close()
  })
  const ids: string[] = []
  for (const [n, provider] of opened.entries()) {
    const { instances } = await provider.launch(pool.order(idleScript, 1, owners[n]))
    ids.push(instances[0]!.id)
  }
  const context = {
    clusterId: pool.owner.clusterId,
    stateDir,
    env: {},
    clock: systemClock,
    logger: silentLogger,
  }
  const cluster = await openCluster(context)
  const listed = async () => (await cluster.list()).instances.map(({ id, pool }) => `${id} ${pool}`).sort()
  expect(await listed()).toEqual([`${ids[0]} gpu`, `${ids[1]} other`].sort())
  expect((await cluster.find([ids[0]!, ids[2]!])).instances.map(({ id }) => id)).toEqual([ids[0]])

  const { terminated, failures } = await cluster.terminate([ids[0]!, ids[2]!])
  expect(terminated).toEqual([ids[0]])
  expect(failures).toMatchObject([{ id: ids[2], problem: { code: 'PROVIDER_NOT_OURS' } }])
  await expect.poll(listed, { timeout: 60_000 }).toEqual([`${ids[1]} other`])
})

it('do not exist if there never was a local pool', async () => {
  const context = {
    clusterId: 'c',
    stateDir: '/nonexistent',
    env: {},
    clock: systemClock,
    logger: silentLogger,
  }
  expect(await (await openCluster(context)).list()).toMatchObject({ instances: [], complete: true })
})
