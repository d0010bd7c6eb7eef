// A certificate and a configuration may change at the same moment: neither may undo the other.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import type { TlsCredentials } from '../../../src/pki/credentials.ts'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { loadMasterCertificate, openCertificate } from '../../../src/provisioner/certificate.ts'
import { openPlans, usePlansForLaunches } from '../../../src/provisioner/plans.ts'
import { capturingLogger } from '../../support/capturing-logger.ts'
import { parseConfig } from '../../support/config.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const text = `
security: {tls: {cert: chain.crt, key: server.key}}
resource_pools:
  - pool_name: gpu
    provider:
      type: aws
      region: us-west-2
      master_url: https://master.test:8443
      image: {id: ami-0123456789abcdef0}
      instance_types: [{type: g5.12xlarge}]
`

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'renewal-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function parsed(words: string): MasterConfig {
  const { config, problems } = parseConfig(words, join(folder, 'master.yaml'))
  if (!config) throw new Error(JSON.stringify(problems))
  return config
}

/** Writes a new chain; returns it as loaded, and the text that a script contains when it embeds the chain. */
async function certificate(config: MasterConfig): Promise<{ material: TlsCredentials; words: string }> {
  const { chain, leaf } = await createDevelopmentChain({
    names: ['master.test'],
    ips: [],
    days: 30,
    now: Date.now(),
  })
  writeFileSync(join(folder, 'chain.crt'), chain)
  writeFileSync(join(folder, 'server.key'), leaf.key, { mode: 0o600 })
  const { certificate: material, problems } = loadMasterCertificate(config, { now: Date.now() })
  if (!material) throw new Error(JSON.stringify(problems))
  return { material, words: chain.split('\n')[3]! }
}

describe('a renewed certificate and a changed configuration', () => {
  it.each(['use first', 'renew first'])('at the same time are both in force: %s', async (order) => {
    let config = parsed(text)
    let { material } = await certificate(config)
    const identity = { clusterId: 'c', provisionerId: 'w', writerId: 'w', ownWriters: new Set(['w']) }
    const common = {
      providers: builtInProviders,
      identity,
      now: Date.now,
      hosts: new Map<string, string>(),
      localAgent: [],
    }
    const { plans } = await openPlans({ ...common, config: () => config, certificate: () => material })
    const renewed = await certificate(config)
    const changed = parsed(text.replace('g5.12xlarge', 'g6.12xlarge'))
    const changes = [
      () =>
        plans!.use(changed, () => {
          config = changed
        }),
      () => {
        material = renewed.material
        return plans!.renew()
      },
    ]
    await Promise.all((order === 'use first' ? changes : changes.reverse()).map((change) => change()))
    const { pool, userData } = plans!.get('gpu')
    expect(pool.provider).toMatchObject({ instance_types: [{ type: 'g6.12xlarge' }] })
    expect(userData.script).toContain(renewed.words)
  })

  it('that cannot be prepared for VMs is logged, and stops nothing', async () => {
    const config = parsed(text)
    await certificate(config)
    const clock = new FakeClock(Date.now())
    const logger = capturingLogger()
    const opened = openCertificate({ config, clock, logger })
    const plans = {
      names: [],
      get: () => ({}) as never,
      renew: () => Promise.reject(new Error('out of everything')),
    }
    const onPlanned = () => {}
    opened.subscribe((renewed) => void usePlansForLaunches(renewed, { plans, onPlanned, logger }))
    const stop = opened.watch()
    await certificate(config)
    await clock.advance(3000)
    expect(logger.lines.at(-1)).toMatch(
      /^error the renewed certificate could not be prepared for new instances/,
    )
    stop()
  })
})
