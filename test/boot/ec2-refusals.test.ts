// Masters that an EC2 machine must not join: its console names the fault, it powers itself off, the master has no agent.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FailureStage } from '../../src/agent-setup/stages.ts'
import type { HandshakeFailure } from '../../src/http/listen.ts'
import type { Issued } from '../support/x509.ts'
import { dns } from '../support/x509-extensions.ts'
import { authority, masterName, server } from '../support/x509-profiles.ts'
import { type Pool, Site } from './support/site.ts'

let site: Site
beforeAll(async () => {
  site = await Site.open()
})
afterAll(() => site?.dispose())

const root = authority('Root')
const intermediate = authority('Intermediate', { issuer: root })
const leaf = server(intermediate)
const pem = (...certificates: Issued[]) => certificates.map((each) => each.pem).join('')
/** The usual `security.tls.cert`: the user data trusts only this chain. */
const chain = pem(leaf, intermediate, root)

interface Refusal {
  master: string
  /** The chain that it presents. */
  served: Issued[]
  /** The chain in the pool's configuration, if that is another one. */
  pool?: () => Partial<Pool>
  stage: FailureStage
}

const otherCa = authority('Other CA')
const refusals: Refusal[] = [
  { master: 'of another CA', served: [server(otherCa), otherCa], stage: 'tls_unknown_ca' },
  {
    master: 'that forgets its intermediate before agents that know the root alone',
    served: [leaf],
    pool: () => ({
      certificates: undefined,
      provider: { tls: { ca_file: site.file(root.pem) }, master_cert_name: masterName },
    }),
    stage: 'tls_unknown_ca',
  },
  {
    master: 'with a certificate for another name',
    served: [server(intermediate, { names: [dns('other.example.com')] }), intermediate, root],
    stage: 'tls_wrong_name',
  },
]

describe.concurrent('an EC2 machine with a master', () => {
  it.each(refusals)('$master ends with $stage', async ({ served, pool, stage }) => {
    const failures: HandshakeFailure[] = []
    const master = await site.master({
      tls: { cert: pem(...served), key: served[0]!.key.pem },
      onHandshakeFailure: (failure) => failures.push(failure),
    })
    const { port } = master.listener
    const userData = await site.userData({ cloud: 'aws', port, certificates: chain, ...pool?.() })
    const { machine } = site.launch('aws', userData)
    expect(await site.lastStage(machine), machine.describe()).toBe(stage)
    expect(machine.console()).toContain(`as ${masterName}`)
    expect(machine.stages()).not.toContain('agent_started')
    expect(failures[0]).toMatchObject({ kind: 'certificate_refused' })
    expect(master.master.agents()).toEqual([])
  })

  it('without a listener ends with tls_refused', async () => {
    const provider = { boot_timeout: '30s' }
    // Nothing listens on port 1 of this network.
    const userData = await site.userData({ cloud: 'aws', port: 1, certificates: chain, provider })
    const { machine } = site.launch('aws', userData)
    expect(await site.lastStage(machine), machine.describe()).toBe('tls_refused')
  })

  it('that containers cannot reach ends with never_joined', async () => {
    const master = await site.master({ tls: { cert: chain, key: leaf.key.pem } })
    const { port } = master.listener
    // The machine itself may dial it, but docker's forwarded traffic may not.
    const firewall = `#!/bin/bash\niptables -I FORWARD -p tcp --dport ${port} -j DROP\n`
    const provider = { boot_timeout: '30s', startup_script: firewall }
    const userData = await site.userData({ cloud: 'aws', port, certificates: chain, provider })
    const { machine } = site.launch('aws', userData)
    expect(await site.lastStage(machine), machine.describe()).toBe('never_joined')
    expect(machine.stages()).toContain('tls_checked')
    expect(master.master.agents()).toEqual([])
  })
})
