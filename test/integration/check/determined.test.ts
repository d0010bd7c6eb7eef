// `provision check` beside a Determined master: what its REST API shows before anything is launched.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { checkAll } from '../../../src/provisioner/check.ts'
import { type Opened, openFake } from '../../support/fake-determined/opened.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let opened: Opened
beforeEach(async () => {
  opened = await openFake()
})
afterEach(() => opened.dispose())

async function rows(minInstances = 1, from = 'demand', more = ''): Promise<string[]> {
  const file = opened.write(
    'master.yaml',
    `demand: {type: determined, url: "${opened.fake.url}", user: provisioner, password_file: password${more}}
resource_pools:
  - pool_name: default
    provider: {type: local, master_url: "${opened.fake.url}", min_instances: ${minInstances}}
`,
  )
  const found = await checkAll({
    providers: builtInProviders,
    ...{ file, env: {}, clock: systemClock, logger: silentLogger },
  })
  return found
    .filter(({ subject }) => subject === from)
    .map(({ result, note, problem }) => `${result} ${problem?.code ?? note}`)
}

it('names the master that responded, and leaves no session there', async () => {
  expect(await rows()).toEqual(['passed Determined 0.38.1, cluster fake'])
  expect(opened.world.sessions.size).toBe(0)
})

it('warns of a pool that may shrink to no agents', async () => {
  const passed = 'passed Determined 0.38.1, cluster fake'
  expect(await rows(0, 'demand', ', placeholder_agent: false')).toEqual([
    passed,
    'warning NO_SCALE_FROM_ZERO',
  ])
  expect(await rows(0)).toEqual([passed])
})

it('fails for a pool the master runs itself', async () => {
  opened.world.pools.set('default', { type: 'AWS' })
  expect(await rows()).toEqual(['failed DETERMINED_POOL_PROVIDED'])
})

it('fails for a user that may not drain agents, and for agents that would fail every job', async () => {
  opened.world.users.get('provisioner')!.admin = false
  expect(await rows()).toEqual(['failed DETERMINED_CANNOT_DRAIN'])
  expect(await rows(1, 'pool default')).toContain('failed DETERMINED_COMMAND_AGENT')
})

it('fails when the master does not respond', async () => {
  await opened.fake.stop()
  expect(await rows()).toEqual(['failed DETERMINED_UNREACHABLE'])
})
