// A process that loses its lease neither starts nor ends processes, but for those that end with the provider itself.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../../src/platform/clock.ts'
import { processStart } from '../../../../src/platform/processes.ts'
import type { Provider } from '../../../../src/providers/contract.ts'
import { local } from '../../../../src/providers/local/definition.ts'
import { writeRecord } from '../../../../src/providers/local/instance-record.ts'
import { idleScript, type LocalPool, localPool } from '../../../support/local-pool.ts'
import { silentLogger } from '../../../support/silent-logger.ts'

let pool: LocalPool
let provider: Provider
let isHeld: boolean
beforeEach(async () => {
  pool = localPool()
  isHeld = true
  provider = await pool.open({ mayAct: () => isHeld })
})
afterEach(() => pool.dispose())

const isRunning = (id: string) => processStart(pool.record(id).process.pid) !== undefined

it('a launch starts nothing, leaves nothing, and says so', async () => {
  isHeld = false
  const order = pool.order('touch "$PROVISION_ROOT/started"; sleep 300', 2)
  const { instances, failures } = await provider.launch(order)
  expect(instances).toEqual([])
  expect(failures).toMatchObject([
    { class: 'transient', missing: 2, notSent: true, problem: { code: 'STATE_RIGHT_LOST' } },
  ])
  expect(readdirSync(pool.dir)).toEqual([])
  isHeld = true
  expect((await provider.launch(order)).instances).toHaveLength(2)
})

it('a lease that ends while a process waits to be started stops it before its first command', async () => {
  let asked = 0
  const other = await pool.open({ mayAct: () => ++asked === 1 })
  const { instances, failures } = await other.launch(pool.order(`touch ${pool.dir}/started; sleep 300`))
  expect([instances, failures]).toMatchObject([[], [{ notSent: true }]])
  expect(asked).toBe(2)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(readdirSync(pool.dir)).toEqual([])
})

it('nothing is terminated, and everything can be read', async () => {
  const { id } = (await provider.launch(pool.order(idleScript))).instances[0]!
  isHeld = false
  const { terminated, failures } = await provider.terminate([id])
  expect([terminated, failures]).toMatchObject([
    [],
    [{ id, class: 'transient', problem: { code: 'STATE_RIGHT_LOST' } }],
  ])
  expect((await provider.list()).instances).toMatchObject([{ id, state: 'running' }])
  expect(isRunning(id)).toBe(true)
  isHeld = true
  expect((await provider.terminate([id])).terminated).toEqual([id])
  await expect.poll(() => isRunning(id), { timeout: 10_000 }).toBe(false)
})

it('a termination that was requested before is carried out by whoever may', async () => {
  const { id } = (await provider.launch(pool.order(idleScript))).instances[0]!
  const record = JSON.parse(readFileSync(pool.file(id, 'vm.json'), 'utf8'))
  writeRecord(pool.root(id), { ...record, terminateAt: Date.now() })
  isHeld = false
  await provider.list()
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(isRunning(id)).toBe(true)
  isHeld = true
  await provider.list()
  await expect.poll(() => isRunning(id), { timeout: 10_000 }).toBe(false)
})

it('closing the provider ends its processes: nobody else could', async () => {
  const { id } = (await provider.launch(pool.order(idleScript))).instances[0]!
  isHeld = false
  await provider.close()
  expect(isRunning(id)).toBe(false)
})

it('a whole cluster is not terminated either', async () => {
  const owned = { ...pool.owner, pool: 'old' }
  const folder = pool.file('local', 'old')
  const old = await pool.open({ owner: owned, stateDir: folder })
  const { id } = (await old.launch(pool.order(idleScript, 1, owned))).instances[0]!
  const context = {
    clusterId: owned.clusterId,
    stateDir: pool.dir,
    env: {},
    clock: systemClock,
    logger: silentLogger,
  }
  const cluster = await local.openCluster!({}, { ...context, mayAct: () => false })
  const { failures } = await cluster.terminate([id])
  expect(failures).toMatchObject([{ id, class: 'transient', problem: { code: 'STATE_RIGHT_LOST' } }])
  expect((await cluster.list()).instances.map((one) => one.id)).toEqual([id])
  await old.close()
  expect(existsSync(folder)).toBe(true)
})
