// The owner of the master's certificate: who gets a renewed one, in which order, and when it is refused.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import { createDevelopmentChain, type DevelopmentChain } from '../../../src/pki/development-ca.ts'
import { isError, problem } from '../../../src/problems/index.ts'
import { builtInProviders } from '../../../src/providers/index.ts'
import { openCertificate } from '../../../src/provisioner/certificate.ts'
import { openPlans, usePlansForLaunches } from '../../../src/provisioner/plans.ts'
import { type CapturingLogger, capturingLogger } from '../../support/capturing-logger.ts'
import { parseConfig } from '../../support/config.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const pool = (name: string, more = '') => `
  - pool_name: ${name}
    provider:
      type: aws
      region: us-west-2
      master_url: https://master.test:8443
      image: {id: ami-0123456789abcdef0}
      instance_types: [{type: g5.12xlarge}]${more}`

let folder: string
let clock: FakeClock
let logger: CapturingLogger
let stop: () => void
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'certificate-'))
  clock = new FakeClock(Date.now())
  logger = capturingLogger()
  stop = () => {}
})
afterEach(() => {
  stop()
  rmSync(folder, { recursive: true })
})

function configOf(pools: string): MasterConfig {
  const words = `security: {tls: {cert: chain.crt, key: server.key}}\nresource_pools:${pools}\n`
  const { config, problems } = parseConfig(words, join(folder, 'master.yaml'))
  if (!config) throw new Error(JSON.stringify(problems))
  return config
}

async function writeChain(name = 'master.test'): Promise<DevelopmentChain> {
  const made = await createDevelopmentChain({ names: [name], ips: [], days: 30, now: Date.now() })
  put(made)
  return made
}

function put({ chain, leaf }: DevelopmentChain): void {
  writeFileSync(join(folder, 'chain.crt'), chain)
  writeFileSync(join(folder, 'server.key'), leaf.key, { mode: 0o600 })
}

describe('the certificate', () => {
  it('is checked against the current time, not against a clock that was wrong when the process started', async () => {
    await writeChain()
    const config = configOf(pool('gpu'))
    const long = 10 * 365 * 86_400_000
    const began = new FakeClock(Date.now() + long)
    expect(() => openCertificate({ config, clock: began, logger })).toThrowError(/TLS_/)
    const set = Object.assign(began, { wall: Date.now })
    expect(openCertificate({ config, clock: set, logger }).warnings.filter(isError)).toEqual([])
  })

  it('is served first, then current, then passed on', async () => {
    await writeChain()
    const certificate = openCertificate({ config: configOf(pool('gpu')), clock, logger })
    const first = certificate.current()!
    const order: string[] = []
    const known = (sha256: string) => (sha256 === first.leaf.sha256 ? 'the first' : 'the renewed')
    const currentOne = () => known(certificate.current()!.leaf.sha256)
    certificate.serveWith((renewed) => {
      order.push(`serve ${known(renewed.leaf.sha256)} while ${currentOne()} is current`)
      return undefined
    })
    certificate.subscribe((renewed) => {
      order.push(`hand on ${known(renewed.leaf.sha256)} while ${currentOne()} is current`)
    })
    stop = certificate.watch()
    await writeChain()
    await clock.advance(2000)
    expect(order).toEqual([
      'serve the renewed while the first is current',
      'hand on the renewed while the renewed is current',
    ])
    expect(logger.lines.at(-1)).toMatch(/^info serving the renewed certificate/)
  })

  it('stays when the renewed one cannot be served, which is retried', async () => {
    await writeChain()
    const certificate = openCertificate({ config: configOf(pool('gpu')), clock, logger })
    const first = certificate.current()
    const handedOn: unknown[] = []
    let isUsable = false
    certificate.serveWith(() => (isUsable ? undefined : problem('TLS_WEAK_KEY', 'too small')))
    certificate.subscribe((renewed) => handedOn.push(renewed))
    stop = certificate.watch()
    await writeChain()
    await clock.advance(40_000)
    expect([certificate.current(), handedOn]).toEqual([first, []])
    expect(logger.lines.at(-1)).toMatch(/^error .*not valid; the previous one stays in use/)
    isUsable = true
    await clock.advance(2000)
    expect(handedOn).toEqual([certificate.current()])
    expect(certificate.current()).not.toBe(first)
    expect(logger.lines.at(-1)).toMatch(/^info the certificate is valid again/)
  })

  it('stays when the changed files are invalid', async () => {
    await writeChain()
    const certificate = openCertificate({ config: configOf(pool('gpu')), clock, logger })
    const first = certificate.current()
    stop = certificate.watch()
    writeFileSync(join(folder, 'chain.crt'), 'nothing of the kind')
    await clock.advance(40_000)
    expect(certificate.current()).toBe(first)
    expect(logger.lines.at(-1)).toMatch(/^error .*not valid; the previous one stays in use/)
    expect(logger.lines.join()).toMatch(/"setting":"security\.tls\.cert in [^"]*master\.yaml:1:24"/)
  })

  it('that is not usable at the start prevents the start', async () => {
    await writeChain()
    writeFileSync(join(folder, 'server.key'), 'nothing of the kind')
    expect(() => openCertificate({ config: configOf(pool('gpu')), clock, logger })).toThrow(/server\.key/)
  })

  it('does not disconnect agents that have it: their pool could not be given the previous one', async () => {
    const first = await writeChain()
    const config = configOf(pool('gpu', '\n      master_cert_name: master.test'))
    const certificate = openCertificate({ config, clock, logger })
    const { plans } = await openPlans({
      config: () => config,
      certificate: certificate.current,
      identity: { clusterId: 'c', provisionerId: 'w', writerId: 'w', ownWriters: new Set(['w']) },
      hosts: new Map(),
      now: Date.now,
      localAgent: [],
      providers: builtInProviders,
    })
    const renewals: Promise<void>[] = []
    certificate.subscribe((renewed) => {
      renewals.push(usePlansForLaunches(renewed, { plans: plans!, onPlanned: () => {}, logger }))
    })
    stop = certificate.watch()
    const stranded = () => logger.lines.filter((line) => line.includes('TLS_RENEWED_UNDER_OTHER_ROOT'))
    const held = () => plans!.get('gpu').certificate!.leaf.sha256

    // It does not contain the name that agents verify.
    await writeChain('other.test')
    await clock.advance(2000)
    await Promise.all(renewals)
    expect(stranded()).toHaveLength(1)
    expect(held()).not.toBe(certificate.current()!.leaf.sha256)

    put(first)
    await clock.advance(2000)
    await Promise.all(renewals)
    expect(stranded()).toHaveLength(1)
    expect(held()).toBe(certificate.current()!.leaf.sha256)
  })
})
