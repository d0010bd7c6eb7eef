// The built-in agent against the built-in master, over real TLS.
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DevelopmentChain } from '../../../src/pki/development-ca.ts'
import { chain, masterConfig, startMaster, type TestMaster } from '../../support/master.ts'
import { type AgentHome, agentHome } from '../../support/running-agent.ts'
import { until } from '../../support/server.ts'
import { purpose } from '../../support/x509-extensions.ts'
import { authority, server } from '../../support/x509-profiles.ts'

let certificates: DevelopmentChain
let home: AgentHome
let test: TestMaster | undefined

beforeAll(async () => {
  certificates = await chain()
})
beforeEach(() => {
  home = agentHome()
})
afterEach(async () => {
  await home.dispose()
  await test?.stop()
  test = undefined
})

function trusting(change: Record<string, string | number> = {}) {
  return {
    DET_MASTER_PORT: test!.listener.port,
    DET_AGENT_ID: 'agent-1',
    DET_SECURITY_TLS_ENABLED: 'true',
    DET_SECURITY_TLS_MASTER_CERT: home.file('master.crt', certificates.chain),
    DET_SECURITY_TLS_MASTER_CERT_NAME: 'master.test',
    ...change,
  }
}

const joined = () => test!.master.agents().find((agent) => agent.phase === 'joined')

describe('an agent that trusts its master', () => {
  it('joins with its devices, over TLS 1.3 and with the given name', async () => {
    test = await startMaster()
    const agent = home.run(trusting())
    await until(joined, 'the agent to join')
    expect(joined()).toMatchObject({
      id: 'agent-1',
      pool: 'default',
      version: '0.1.0+provision',
      link: { tls: { version: 'TLSv1.3', serverName: 'master.test' } },
      devices: [
        { id: 0, brand: 'Artificial', type: 'cpu' },
        { id: 1, brand: 'Artificial', type: 'cpu' },
      ],
    })
    await until(() => agent.said().includes('joined the master'))
    expect(agent.lines[0]).toMatch(
      /connecting to the master .*"https:\/\/127.0.0.1:\d+".*"name":"master.test"/,
    )
    expect(agent.said()).toMatch(/info joined the master .*"cluster":"test".*"slots":2/)
  })

  it('says goodbye when it is stopped, and exits with 0', async () => {
    test = await startMaster()
    const agent = home.run(trusting())
    await until(joined, 'the agent to join')
    expect(await agent.stop()).toBe(0)
    expect(agent.lines.at(-1)).toBe('info stopped by a signal')
    await until(() => test!.events.some((event) => event.kind === 'lost'), 'the loss')
    expect(test.events.at(-1)!.reason).toMatch(/^closed by the peer \(1000/)
  })

  it('also exits with 0 when it is stopped while it dials', async () => {
    test = await startMaster()
    const agent = home.run(trusting())
    expect(await agent.stop()).toBe(0)
  })

  it('needs only the root, or only the leaf, like a Go program', async () => {
    test = await startMaster()
    for (const name of ['root', 'intermediate', 'leaf'] as const) {
      const anchor = home.file(`${name}.crt`, certificates[name].certificate)
      const agent = home.run(trusting({ DET_SECURITY_TLS_MASTER_CERT: anchor, DET_AGENT_ID: name }))
      await until(() => agent.said().includes('joined the master'), 'the agent to join')
    }
  })

  it('accepts any certificate when verification is off', async () => {
    test = await startMaster()
    const env = trusting({ DET_SECURITY_TLS_MASTER_CERT: '', DET_SECURITY_TLS_SKIP_VERIFY: 'true' })
    home.run({ ...env, DET_SECURITY_TLS_MASTER_CERT_NAME: 'other.name' })
    await until(joined, 'the agent to join')
  })

  it('joins a master without TLS when TLS is off', async () => {
    test = await startMaster({}, { tls: undefined })
    home.run({ DET_MASTER_PORT: test.listener.port })
    await until(joined, 'the agent to join')
    expect(joined()!.link.tls).toBeUndefined()
  })

  it('presents its client certificate to a master that requests one', async () => {
    const clients = authority('client CA')
    const own = server(clients, { subject: 'agent', names: null, purposes: [purpose.client] })
    const resource_manager = { ...masterConfig().resource_manager, require_authentication: true }
    const tls = { cert: certificates.chain, key: certificates.leaf.key, clientCas: { master: clients.pem } }
    test = await startMaster({ config: masterConfig({ resource_manager }) }, { tls })
    const without = home.run(trusting())
    expect(await without.exit).toBe(1)
    expect(without.said()).toMatch(/the master answered with status 403: .*client certificate/)
    const client_cert = home.file('client.crt', own.pem)
    const client_key = home.file(
      'client.key',
      own.key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    )
    home.run(trusting(), `security: ${JSON.stringify({ tls: { client_cert, client_key } })}\n`)
    await until(joined, 'the agent to join')
  })
})

describe('an agent that the master rejects', () => {
  it("logs the master's message, runs the hook, and exits", async () => {
    test = await startMaster()
    const yaml = `hooks:\n  on_connection_lost: [bash, -c, 'echo lost > ${home.dir}/hook; echo hooked']\n`
    const agent = home.run(trusting({ DET_RESOURCE_POOL: 'no such & pool' }), yaml)
    expect(await agent.exit).toBe(1)
    expect(agent.said()).toMatch(
      /the master answered with status 500: cannot find specified resource pool no such & pool/,
    )
    expect(agent.said()).toMatch(/info hooks.on_connection_lost has run .*hooked/)
  })

  it('is rejected when another agent has its id', async () => {
    test = await startMaster()
    home.run(trusting())
    await until(joined, 'the agent to join')
    const second = home.run(trusting())
    expect(await second.exit).toBe(1)
    expect(second.said()).toMatch(/status 500: .*already connected/)
  })
})
