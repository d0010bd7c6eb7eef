// Who may join on EC2: machines sign with the identity role of their instance, STS checks the signature, the provisioner issues
// certificates, and agents join with them over mutual TLS.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AwsCloud, awsCloud } from '../support/aws-cloud.ts'
import { type FakeSts, fakeSts, type Identity } from '../support/join-proofs/fake-sts.ts'
import { type BootingEc2, bootingEc2 } from './support/booting-ec2.ts'
import { type Joining, pairOf, startJoining } from './support/joining.ts'
import { Site } from './support/site.ts'

let site: Site
let cloud: AwsCloud
let sts: FakeSts
let ec2: BootingEc2
let joining: Joining
beforeAll(async () => {
  site = await Site.open()
  cloud = await awsCloud()
  const identities: Identity[] = []
  sts = await fakeSts({ region: 'us-west-2', identities })
  ec2 = bootingEc2(cloud, site, identities)
  joining = await startJoining(site, {
    machines: ec2.machines,
    instances: 2,
    provider: [
      'type: aws',
      'region: us-west-2',
      'image: {id: ami-1}',
      'instance_type: m5.large',
      'network_interface: {public_ip: false}',
    ],
    env: { AWS_ENDPOINT_URL_STS: sts.url },
  })
})
afterAll(async () => {
  await joining?.dispose()
  ec2.stop()
  await sts.close()
  await cloud.dispose()
  await site.dispose()
})

describe('EC2 machines that must prove what they are', () => {
  it('get a certificate each before their agents start, and join with it', () => {
    for (const [id, machine] of ec2.machines) {
      expect(machine.stages()).toEqual([
        'started',
        'configuration_written',
        'certificate_issued',
        'tls_checked',
        'image_pulled',
        'agent_started',
        'agent_connected',
      ])
      const read = site.requests(machine)
      const credentials = '/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance'
      expect(read).toContain(`GET ${credentials} 200`)
      const folder = join(machine.folder, 'disk/upper/usr/local/determined/join')
      const modes = ['', 'agent.key', 'agent.crt'].map((name) => statSync(join(folder, name)).mode & 0o777)
      expect(modes).toEqual([0o700, 0o600, 0o600])
      expect(joining.cluster.said(`"id":"${id}","pool":"default","outcome":"issued"`)).not.toEqual([])
    }
    const urls = sts.arrived.map(({ method, url }) => `${method} ${url}`)
    expect(new Set(urls)).toEqual(new Set(['GET /?Action=GetCallerIdentity&Version=2011-06-15']))
    expect(joining.cluster.said('a join was refused')).toEqual([])
  })

  it('are the only ones that join: not an agent without a certificate, nor one with that of another instance', async () => {
    const [one, other = ''] = ec2.machines.keys()
    const pair = pairOf(ec2.machines.get(one!)!)
    expect(await joining.dial(other)).toMatch(/^403 .*must present the certificate/)
    expect(await joining.dial('i-0123456789abcdef0')).toMatch(/^403 .*must present the certificate/)
    for (const id of [other, 'i-0123456789abcdef0'])
      expect(await joining.dial(id, pair)).toBe(
        `403 forbidden: the client certificate is not that of agent ${id}`,
      )
    expect(joining.provisioner.rows().map(({ agent }) => agent)).toEqual(['joined', 'joined'])
  })

  it('renew it while their agents run, which reconnect with the new one', async () => {
    const ids = [...ec2.machines.keys()]
    const { earlier, later } = await joining.reconnectRenewed()
    for (const [at, id] of ids.entries()) {
      const [before, after] = [earlier[at]!, later[at]!]
      expect(after.key).toBe(before.key)
      expect(after.starts).toEqual(before.starts)
      expect(Object.keys(after.starts)).toHaveLength(1)
      expect(joining.cluster.said(`"id":"${id}","pool":"default","outcome":"renewed"`)).not.toEqual([])
      expect(await joining.dial(id, before)).toMatch(/^403 .*must present the certificate/)
    }
  })
})
