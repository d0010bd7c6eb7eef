// What a cloud has answered in time is reported, even if the rest is late.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/index.ts'
import { systemClock } from '../../../src/platform/index.ts'
import { ProvisionError } from '../../../src/problems/index.ts'
import type { AnyProvider, CheckItem } from '../../../src/providers/index.ts'
import { checkCloud } from '../../../src/provisioner/check-rows.ts'
import { master } from '../../support/cloud-pools.ts'
import { ownRack } from '../../support/own-provider.ts'
import { silentLogger } from '../../support/silent-logger.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'check-cloud-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

type Check = NonNullable<AnyProvider['check']>

async function rowsOf(check: Check) {
  const file = join(dir, 'master.yaml')
  const block = 'type: rack, rack: r1, master_url: http://127.0.0.1:8080, preflight: off'
  writeFileSync(file, `demand: {type: push}\nresource_pools:\n  - {pool_name: p, provider: {${block}}}\n`)
  const providers: AnyProvider[] = [{ ...ownRack([]), check }]
  const config = loadConfig(file, { providers }).config!
  const [pool] = config.resource_pools
  const identity = { clusterId: 'c', provisionerId: 'w', writerId: 'w', ownWriters: new Set(['w']) }
  const running = { env: {}, clock: systemClock, logger: silentLogger }
  const input = { config, identity, ...running, providers, budgetMs: 50 }
  const rows = await checkCloud('pool p', pool as never, master, input)
  return rows.map(({ what, result, problem }) => [what, result, problem?.message])
}

const late = 'rack did not answer within 0.05 s'

/** Like a provider whose last call hangs: the signal's reason is the problem of the item. */
const hanging: Check = async (_, __, signal) => {
  const found: CheckItem[] = [{ what: 'image' }, { what: 'key', notChecked: 'none' }]
  const reason = await new Promise<unknown>((resolve) => {
    signal!.addEventListener('abort', () => resolve(signal!.reason))
  })
  if (!(reason instanceof ProvisionError)) throw reason
  return [...found, { what: 'types', problem: reason.problems[0]! }]
}

it('reports what finished, and what did not', async () => {
  expect(await rowsOf(hanging)).toEqual([
    ['image', 'passed', undefined],
    ['key', 'not_checked', undefined],
    ['types', 'failed', late],
  ])
})

it('reports that nothing is known about a cloud whose check is abandoned', async () => {
  const givenUp: Check = (_, __, signal) =>
    new Promise((_resolve, reject) => {
      signal!.addEventListener('abort', () => reject(signal!.reason))
    })
  expect(await rowsOf(givenUp)).toEqual([['cloud', 'failed', late]])
})

it('does not wait forever for a check that ignores its signal', async () => {
  expect(await rowsOf(() => new Promise(() => {}))).toEqual([['cloud', 'failed', late]])
})

it('reports every item of a check that finishes in time', async () => {
  expect(await rowsOf(async () => [{ what: 'image' }])).toEqual([['image', 'passed', undefined]])
})
