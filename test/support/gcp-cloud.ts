// The real provider and Google's real client with the fake Compute Engine.
import { randomUUID } from 'node:crypto'
import { vi } from 'vitest'
import type { Offering } from '../../src/planner/snapshot.ts'
import type { Clock } from '../../src/platform/ports.ts'
import type {
  ClusterProvider,
  LaunchOrder,
  Ownership,
  Provider,
  ProviderContext,
} from '../../src/providers/contract.ts'
import { gcp } from '../../src/providers/gcp/definition.ts'
import { create } from '../../src/providers/gcp/provider.ts'
import type { GcpConfig } from '../../src/providers/gcp/rules.ts'
import { userDataOf } from './aws-cloud.ts'
import { gcpConfig, master, offering } from './cloud-pools.ts'
import { type FakeGce, fakeGce } from './fake-gce/server.ts'
import { type MetadataServer, metadataServer } from './metadata-server.ts'
import { silentLogger } from './silent-logger.ts'

export interface GcpCloud {
  gce: FakeGce
  metadata: MetadataServer
  owner: Ownership
  clock: Clock & { waited: number[] }
  /** The environment given to the provider; Google's library reads that of the process, which is the same. */
  env: Record<string, string>
  /** Asked by every provider; a test may replace it. */
  mayAct: () => boolean
  context(config?: Partial<GcpConfig>, owner?: Ownership): ProviderContext<GcpConfig>
  open(config?: Partial<GcpConfig>, owner?: Ownership): Promise<Provider>
  openCluster(clusterId: string): Promise<ClusterProvider>
  order(count: number, offerings?: Offering[], owner?: Ownership): LaunchOrder
  dispose(): Promise<void>
}

export const zone = 'us-central1-a'
export const bothTypes = [
  offering('g2-standard-48', { slots: 4, zone }),
  offering('a2-highgpu-4g', { slots: 4, zone }),
]
export const zones = ['us-central1-a', 'us-central1-b', 'us-central1-c']
export const inZones = zones.map((each) => offering('g2-standard-8', { zone: each }))

/** The answers of the metadata server of a VM with a service account for Google's library. */
export const accountOfVm = {
  instance: 'attributes/\n',
  'instance/service-accounts/default/token': JSON.stringify({
    access_token: 'token-of-the-vm',
    expires_in: 3600,
    token_type: 'Bearer',
  }),
}

/** Endpoint and credentials come from Google's environment variables, as for a user. */
export async function gcpCloud(): Promise<GcpCloud> {
  const owner: Ownership = { clusterId: randomUUID(), pool: 'GPU pool', writerId: randomUUID() }
  const opened: Provider[] = []
  const waited: number[] = []
  let skipped = 0
  // Waits take no real time, but advance the clock of provider and Compute Engine.
  const clock = {
    now: () => Date.now() + skipped,
    waited,
    async sleep(ms: number, signal?: AbortSignal) {
      signal?.throwIfAborted()
      waited.push(ms)
      skipped += ms
    },
  }
  const gce = await fakeGce(() => clock.now())
  const metadata = await metadataServer({ ...accountOfVm })
  const env: Record<string, string> = {
    CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE: `${gce.url}/compute/v1/`,
    CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER: gce.url,
    GCE_METADATA_HOST: metadata.host,
    GOOGLE_APPLICATION_CREDENTIALS: '',
    HOME: '/nowhere',
  }
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)

  const context = (config: Partial<GcpConfig> = {}, by = owner): ProviderContext<GcpConfig> => ({
    config: gcpConfig(config),
    owner: by,
    master,
    stateDir: '/nowhere',
    env,
    clock,
    logger: silentLogger,
    mayAct: () => self.mayAct(),
  })
  const self: GcpCloud = {
    gce,
    metadata,
    owner,
    clock,
    env,
    mayAct: () => true,
    context,
    async open(config, by) {
      const provider = await create(context(config, by))
      opened.push(provider)
      return provider
    },
    openCluster: (clusterId) =>
      gcp.openCluster!(
        { project: gcpConfig({}).project! },
        { clusterId, stateDir: '/nowhere', env, clock, logger: silentLogger, mayAct: () => self.mayAct() },
      ),
    order: (count, offerings = bothTypes, by = owner) => ({
      intent: { id: randomUUID(), count, offerings },
      owner: by,
      userData: {
        ...userDataOf('#!/bin/bash\necho agent\n'),
        bytes: { script: 0, packed: 0, limit: 262_144 },
      },
    }),
    async dispose() {
      for (const provider of opened) await provider.close()
      await gce.close()
      await metadata.close()
      vi.unstubAllEnvs()
    },
  }
  return self
}
