// Both fake clouds, and the environment with which the daemon finds them.
import { type FakeEc2, fakeEc2 } from '../fake-ec2/server.ts'
import { type FakeGce, fakeGce } from '../fake-gce/server.ts'
import { metadataServer } from '../metadata-server.ts'

export interface Clouds {
  ec2: FakeEc2
  gce: FakeGce
  env: Record<string, string>
  /** The smaller number of listings of the two clouds. */
  listings(): number
  /** Names of the calls that change a cloud; only such calls can change tags and labels. */
  changes(): string[]
  close(): Promise<void>
}

/** Actions of the fake Compute Engine that only read. */
const readsOfGce = new Set([
  'list',
  'get',
  'wait',
  'operations',
  'serialPort',
  'machineType',
  'acceleratorType',
  'region',
  'image',
  'network',
  'subnetwork',
  'project',
  'testPermissions',
])

export async function startClouds(): Promise<Clouds> {
  const ec2 = await fakeEc2()
  const gce = await fakeGce()
  const metadata = await metadataServer({
    instance: 'attributes/\n',
    'instance/service-accounts/default/token': JSON.stringify({
      access_token: 'token-of-the-instance',
      expires_in: 3600,
      token_type: 'Bearer',
    }),
  })
  return {
    ec2,
    gce,
    env: {
      AWS_ENDPOINT_URL_EC2: ec2.url,
      AWS_ACCESS_KEY_ID: 'key',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_EC2_METADATA_DISABLED: 'true',
      CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: `${gce.url}/compute/v1/`,
      CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER: gce.url,
      GCE_METADATA_HOST: metadata.host,
      GOOGLE_APPLICATION_CREDENTIALS: '',
    },
    listings: () => Math.min(ec2.count('DescribeInstances'), gce.count('list')),
    changes: () => [
      ...ec2.calls.map(({ action }) => action).filter((action) => !/^(?:Describe|Get)/.test(action)),
      ...gce.calls.map(({ action }) => action).filter((action) => !readsOfGce.has(action)),
    ],
    async close() {
      await ec2.close()
      await gce.close()
      await metadata.close()
    },
  }
}
