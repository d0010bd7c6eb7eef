// The built-in agent reads its certificate, its key and its CAs anew at each dial: a renewal needs no restart.
import { X509Certificate } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDevelopmentChain } from '../../../src/pki/development-ca.ts'
import { agentsCa, agentsCaSpec, instanceCertificate } from '../../support/instance-certificates.ts'
import { chain, masterConfig, startMaster, type TestMaster } from '../../support/master.ts'
import {
  type AgentHome,
  agentHome,
  type Relay,
  type RunningAgent,
  relay,
} from '../../support/running-agent.ts'
import { until } from '../../support/server.ts'
import { testKey } from '../../support/test-keys.ts'
import { authority } from '../../support/x509-profiles.ts'

const nextCa = authority('Agents CA', { ...agentsCaSpec, key: testKey('p256', 'next') })

let home: AgentHome
let wire: Relay
let test: TestMaster
let folder: string
/** Serial numbers of the certificates presented at each dial that was admitted. */
let presented: string[]

beforeEach(async () => {
  home = agentHome()
  folder = join(home.dir, 'join')
  mkdirSync(folder)
  presented = []
  const { chain: cert, leaf } = await chain()
  const [pool] = masterConfig().resource_pools
  test = await startMaster(
    {
      config: masterConfig({ resource_pools: [{ ...pool!, agent_reconnect_wait: 60_000 }] }),
      joinProof: {
        isRequired: () => true,
        mayJoin: (id, _, { serialNumber }) => {
          presented.push(serialNumber)
          return id === 'i-1' ? 'yes' : 'no'
        },
      },
    },
    { tls: { cert, key: leaf.key, clientCas: { agents: agentsCa.pem } } },
  )
  wire = await relay(test.listener.port)
})
afterEach(async () => {
  await home.dispose()
  await wire.close()
  await test.stop()
})

/** As a renewal does it on a VM: written beside, then renamed, in a folder that is mounted. */
function replace(name: string, text: string): void {
  const beside = join(folder, `.${name}.new`)
  writeFileSync(beside, text, { mode: 0o600 })
  renameSync(beside, join(folder, name))
}

function install({ cert, key }: { cert: string; key: string }): string {
  replace('agent.key', key)
  replace('agent.crt', cert)
  return new X509Certificate(cert).serialNumber
}

async function run(): Promise<RunningAgent> {
  replace('master.crt', (await chain()).chain)
  const files = { client_cert: join(folder, 'agent.crt'), client_key: join(folder, 'agent.key') }
  const env = {
    DET_MASTER_PORT: wire.port,
    DET_AGENT_ID: 'i-1',
    DET_SECURITY_TLS_ENABLED: 'true',
    DET_SECURITY_TLS_MASTER_CERT: join(folder, 'master.crt'),
    DET_SECURITY_TLS_MASTER_CERT_NAME: 'master.test',
    DET_AGENT_RECONNECT_ATTEMPTS: 60,
    DET_AGENT_RECONNECT_BACKOFF: 1,
  }
  return home.run(env, `security: ${JSON.stringify({ tls: files })}\n`)
}

const count = (kind: string) => test.events.filter((event) => event.kind === kind).length

describe('an agent whose files are replaced while it runs', () => {
  it('reconnects with the renewed certificate of the same key', async () => {
    const first = install(instanceCertificate('i-1'))
    const agent = await run()
    await until(() => count('joined') === 1, 'the agent to join')
    const second = install(instanceCertificate('i-1'))
    expect(second).not.toBe(first)
    wire.cut()
    await until(() => count('returned') === 1, 'the agent to return')
    expect(presented).toEqual([first, second])
    expect(agent.said()).not.toContain('could not')
  })

  it('reconnects with a new key and certificate, to a master with new CAs on both sides', async () => {
    const first = install(instanceCertificate('i-1'))
    await run()
    await until(() => count('joined') === 1, 'the agent to join')
    const renewed = await createDevelopmentChain({
      names: ['master.test'],
      ips: [],
      days: 30,
      now: Date.now(),
    })
    test.listener.useCertificate({ cert: renewed.chain, key: renewed.leaf.key })
    test.listener.useClientCas({ agents: nextCa.pem })
    replace('master.crt', renewed.chain)
    const second = install(instanceCertificate('i-1', nextCa, { key: testKey('p256', 'new key of i-1') }))
    wire.cut()
    await until(() => count('returned') === 1, 'the agent to return')
    expect(presented).toEqual([first, second])
  })

  it('tries again while its files are unusable, and names them', async () => {
    const first = install(instanceCertificate('i-1'))
    const agent = await run()
    await until(() => count('joined') === 1, 'the agent to join')
    replace('agent.key', testKey('p256', 'another').pem)
    wire.cut()
    const mismatch = `does not belong to the client certificate ${join(folder, 'agent.crt')}`
    await until(() => agent.said().includes(mismatch), 'the mismatch to be logged')
    replace('agent.crt', '')
    await until(
      () => agent.said().includes('agent.crt contains no certificate'),
      'the empty file to be logged',
    )
    const second = install(instanceCertificate('i-1'))
    await until(() => count('returned') === 1, 'the agent to return')
    expect(presented).toEqual([first, second])
  })

  it('is refused once its certificate has expired, and returns with a renewed one', async () => {
    install(instanceCertificate('i-1'))
    const agent = await run()
    await until(() => count('joined') === 1, 'the agent to join')
    install(instanceCertificate('i-1', agentsCa, { notAfter: Date.now() - 1000 }))
    wire.cut()
    await until(() => agent.said().includes('status 403'), 'the refusal')
    const last = install(instanceCertificate('i-1'))
    await until(() => count('returned') === 1, 'the agent to return')
    expect(presented.at(-1)).toBe(last)
  })
})
