// Who may join on Compute Engine: machines send the identity token of their instance, the provisioner checks it by Google's keys
// and issues certificates, and agents join with them over mutual TLS.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GcpCloud, gcpCloud } from '../support/gcp-cloud.ts'
import { certificatesUrl } from '../support/join-proofs/identity-tokens.ts'
import { type BootingGce, bootingGce } from './support/booting-gce.ts'
import { type GoogleKeys, googleKeys } from './support/google-keys.ts'
import { type Joining, pairOf, startJoining } from './support/joining.ts'
import { Site } from './support/site.ts'

let site: Site
let cloud: GcpCloud
let keys: GoogleKeys
let gce: BootingGce
let joining: Joining
beforeAll(async () => {
  site = await Site.open()
  cloud = await gcpCloud()
  keys = await googleKeys()
  gce = bootingGce(cloud.gce.world, site)
  joining = await startJoining(site, {
    machines: gce.machines,
    instances: 1,
    provider: [
      'type: gcp',
      'project: my-project',
      'zone: us-central1-a',
      'boot_disk_source_image: projects/my-project/global/images/agent',
      'instance_type: {machine_type: e2-standard-8}',
      'network_interface: {network: default, subnetwork: default}',
      'service_account: {email: agent@my-project.iam.gserviceaccount.com}',
    ],
    env: { ...cloud.env, ...keys.env },
  })
})
afterAll(async () => {
  await joining?.dispose()
  gce.stop()
  await keys.close()
  await cloud.dispose()
  await site.dispose()
})

describe('a Compute Engine machine that must prove what it is', () => {
  it('gets a certificate before its agent starts, and joins with it', () => {
    const [[id, machine] = []] = gce.machines
    expect(machine!.stages()).toEqual([
      'started',
      'configuration_written',
      'certificate_issued',
      'tls_checked',
      'image_pulled',
      'agent_started',
      'agent_connected',
    ])
    const [token] = site.requests(machine!).filter((call) => call.includes('/identity?'))
    expect(decodeURIComponent(token!)).toMatch(
      /^GET \/computeMetadata\/v1\/instance\/service-accounts\/default\/identity\?format=full&audience=https:\/\/master\.test:\d+\/v1\/join\/[\w-]+ 200$/,
    )
    expect(keys.asked).toEqual(['CONNECT www.googleapis.com:443', `GET ${certificatesUrl}`])
    expect(joining.cluster.said(`"id":"${id}","pool":"default","outcome":"issued"`)).not.toEqual([])
    expect(joining.cluster.said('a join was refused')).toEqual([])
  })

  it('is the only one that joins', async () => {
    const [[id = '', machine] = []] = gce.machines
    expect(await joining.dial(id)).toMatch(/^403 .*must present the certificate/)
    expect(await joining.dial(`${id.slice(0, -1)}x`, pairOf(machine!))).toMatch(/^403 .*is not that of agent/)
  })

  it('renews it while its agent runs, which reconnects with the new one', async () => {
    const [id = ''] = gce.machines.keys()
    const { earlier, later } = await joining.reconnectRenewed()
    expect(later[0]!.key).toBe(earlier[0]!.key)
    expect(later[0]!.starts).toEqual(earlier[0]!.starts)
    expect(joining.cluster.said(`"id":"${id}","pool":"default","outcome":"renewed"`)).not.toEqual([])
    expect(await joining.dial(id, earlier[0])).toMatch(/^403 .*must present the certificate/)
  })
})
