// A master that admits only agents with a client certificate: pools without one are refused before anything is launched.
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MasterConfig } from '../../../src/config/master-config.ts'
import { loadConfig } from '../../support/config.ts'
import { Cluster } from '../../support/stand-alone.ts'
import type { Issued } from '../../support/x509.ts'
import { purpose } from '../../support/x509-extensions.ts'
import { authority, server } from '../../support/x509-profiles.ts'

const clientCa = authority('Client CA')
const member = server(clientCa, { purposes: [purpose.client] })
const untrusted = server(authority('Stranger'), { purposes: [purpose.client] })

let cluster: Cluster
beforeEach(async () => {
  cluster = new Cluster()
  await cluster.certificate()
  writeFileSync(join(cluster.dir, 'client-ca.crt'), clientCa.pem)
})
afterEach(() => cluster.dispose())

async function authenticating(...provider: string[]): Promise<MasterConfig> {
  const { file } = await cluster.config('min_instances: 1', ...provider)
  appendFileSync(
    file,
    'resource_manager: {type: agent, require_authentication: true, client_ca: client-ca.crt}\n',
  )
  const { config, problems } = loadConfig(file)
  expect(problems).toEqual([])
  return config!
}

/** A provider line for agents that present this certificate. */
function showing({ pem, key }: Issued): string {
  const cert = join(cluster.dir, 'agent.crt')
  const keyFile = join(cluster.dir, 'agent.key')
  writeFileSync(cert, pem)
  writeFileSync(keyFile, key.pem, { mode: 0o600 })
  return `agent_config_file_contents: {security: {tls: {client_cert: ${cert}, client_key: ${keyFile}}}}`
}

describe('a master with require_authentication', () => {
  it('launches nothing for a pool whose agents have no client certificate', async () => {
    const config = await authenticating()
    await expect(cluster.start(config)).rejects.toMatchObject({ code: 'CLIENT_CERT_REQUIRED' })
  })

  it('admits agents with a certificate of client_ca', async () => {
    const running = await cluster.start(await authenticating(showing(member)))
    await expect.poll(() => running.rows()[0]?.agent, { timeout: 60_000 }).toBe('joined')
  })

  it('answers 403 to an agent with a certificate of another CA', async () => {
    await cluster.start(await authenticating(showing(untrusted)))
    const refused = () => cluster.said('agent rejected').find((line) => line.includes('403'))
    await expect.poll(refused, { timeout: 60_000 }).toBeDefined()
  })
})
