// The real provider and the real SDK over LocalStack, each test file in its own, unused AWS account.
import { randomInt, randomUUID } from 'node:crypto'
import { DescribeSubnetsCommand, EC2Client, RegisterImageCommand } from '@aws-sdk/client-ec2'
import { inject, vi } from 'vitest'
import type { Offering } from '../../src/planner/snapshot.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { create } from '../../src/providers/aws/provider.ts'
import type { AwsConfig } from '../../src/providers/aws/rules.ts'
import type { LaunchOrder, Ownership, Provider } from '../../src/providers/contract.ts'
import { userDataOf } from '../support/aws-cloud.ts'
import { awsConfig, master, offering } from '../support/cloud-pools.ts'
import { silentLogger } from '../support/silent-logger.ts'

const region = 'us-west-2'
/** LocalStack accepts any twelve digits as an account, and creates it at the first call. */
const account = String(randomInt(1e11, 1e12))

export interface LocalStackCloud {
  /** The SDK's own client, to check the state independently of the provider. */
  ec2: EC2Client
  env: Record<string, string>
  owner: Ownership
  image: string
  /** One in each of the region's first two zones. */
  subnets: [string, string]
  /** Two types in two subnets, four GPUs each. */
  offerings: [Offering, Offering]
  config(more?: Partial<AwsConfig>): AwsConfig
  open(more?: Partial<AwsConfig>, owner?: Ownership): Promise<Provider>
  order(count: number, offerings?: Offering[], owner?: Ownership): LaunchOrder
  dispose(): Promise<void>
}

export async function localStackCloud(): Promise<LocalStackCloud> {
  const env: Record<string, string> = {
    AWS_ENDPOINT_URL: inject('ec2Endpoint'),
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: account,
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const ec2 = new EC2Client({})
  const image = await ec2.send(new RegisterImageCommand({ Name: randomUUID(), RootDeviceName: '/dev/xvda' }))
  const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}))
  const [first, second] = Subnets.map(({ SubnetId }) => SubnetId!)
  const subnets: [string, string] = [first!, second!]
  const offerings: [Offering, Offering] = [
    offering('g5.12xlarge', { slots: 4, zone: subnets[0] }),
    offering('g4dn.12xlarge', { slots: 4, zone: subnets[1] }),
  ]
  const owner = { clusterId: randomUUID(), pool: 'GPU pool *', writerId: randomUUID() }
  const opened: Provider[] = []
  const config = (more: Partial<AwsConfig> = {}) =>
    awsConfig({ region, image: { id: image.ImageId! }, ...more })
  return {
    ec2,
    env,
    owner,
    image: image.ImageId!,
    subnets,
    offerings,
    config,
    async open(more = {}, by = owner) {
      const context = { config: config(more), owner: by, master, stateDir: '/nowhere', env }
      const provider = await create({ ...context, clock: systemClock, logger: silentLogger })
      opened.push(provider)
      return provider
    },
    order: (count, among = offerings, by = owner) => ({
      intent: { id: randomUUID(), count, offerings: among },
      owner: by,
      userData: userDataOf('#!/bin/bash\necho agent\n'),
    }),
    async dispose() {
      for (const provider of opened) await provider.close()
      ec2.destroy()
      vi.unstubAllEnvs()
    },
  }
}
