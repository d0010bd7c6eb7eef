// The real provider and the real SDK with the fake EC2.
import { randomUUID } from 'node:crypto'
import { vi } from 'vitest'
import type { UserData } from '../../src/agent-setup/pack.ts'
import type { Offering } from '../../src/planner/snapshot.ts'
import type { Clock, Logger } from '../../src/platform/ports.ts'
import { aws } from '../../src/providers/aws/definition.ts'
import { create } from '../../src/providers/aws/provider.ts'
import type { AwsConfig } from '../../src/providers/aws/rules.ts'
import type { ClusterProvider, LaunchOrder, Ownership, Provider } from '../../src/providers/contract.ts'
import { awsConfig, master, offering } from './cloud-pools.ts'
import { type FakeEc2, fakeEc2 } from './fake-ec2/server.ts'
import { silentLogger } from './silent-logger.ts'

export interface AwsCloud {
  ec2: FakeEc2
  owner: Ownership
  clock: Clock & { waited: number[] }
  /** The environment given to the provider; the SDK reads that of the process. */
  env: Record<string, string>
  /** Asked by every provider; a test may replace it. */
  mayAct: () => boolean
  open(config?: Partial<AwsConfig>, owner?: Ownership, logger?: Logger): Promise<Provider>
  openCluster(clusterId: string): Promise<ClusterProvider>
  order(count: number, offerings?: Offering[], owner?: Ownership): LaunchOrder
  dispose(): Promise<void>
}

export const bothTypes = [
  offering('g5.12xlarge', { slots: 4, zone: 'subnet-a' }),
  offering('g4dn.12xlarge', { slots: 4, zone: 'subnet-a' }),
]

/** Endpoint and credentials come from AWS's environment variables, as for a user. */
export async function awsCloud(): Promise<AwsCloud> {
  const owner = { clusterId: randomUUID(), pool: 'GPU pool *', writerId: randomUUID() }
  const opened: Provider[] = []
  const waited: number[] = []
  let skipped = 0
  // Waits take no real time, but advance the clock of provider and EC2.
  const clock = {
    now: () => Date.now() + skipped,
    waited,
    async sleep(ms: number, signal?: AbortSignal) {
      signal?.throwIfAborted()
      waited.push(ms)
      skipped += ms
    },
  }
  const ec2 = await fakeEc2(() => clock.now())
  const env: Record<string, string> = {
    AWS_ENDPOINT_URL_EC2: ec2.url,
    AWS_ENDPOINT_URL_STS: ec2.url,
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const self: AwsCloud = {
    ec2,
    owner,
    clock,
    env,
    mayAct: () => true,
    async open(config = {}, by = owner, logger = silentLogger) {
      const provider = await create({
        config: awsConfig({ image: { id: 'ami-2' }, ...config }),
        owner: by,
        master,
        stateDir: '/nowhere',
        env,
        clock,
        logger,
        mayAct: () => self.mayAct(),
      })
      opened.push(provider)
      return provider
    },
    openCluster: (clusterId) =>
      aws.openCluster!(
        { region: 'us-west-2' },
        { clusterId, stateDir: '/nowhere', env, clock, logger: silentLogger, mayAct: () => self.mayAct() },
      ),
    order: (count, offerings = bothTypes, by = owner) => ({
      intent: { id: randomUUID(), count, offerings },
      owner: by,
      userData: userDataOf('#!/bin/bash\necho agent\n'),
    }),
    async dispose() {
      for (const provider of opened) await provider.close()
      await ec2.close()
      vi.unstubAllEnvs()
    },
  }
  return self
}

export function userDataOf(script: string): UserData {
  const packed = Buffer.from(script)
  return {
    script,
    encoding: 'plain',
    packed,
    bytes: { script: packed.length, packed: packed.length, limit: 16_384 },
    sha256: '',
  }
}
