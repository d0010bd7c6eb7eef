// Refusals with a remedy: missing roles, keys, regions and profiles, and unknown codes.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Offering } from '../../../src/planner/snapshot.ts'
import { ec2Client } from '../../../src/providers/aws/client.ts'
import { ec2Failure } from '../../../src/providers/aws/errors.ts'
import { type AwsCloud, awsCloud, bothTypes } from '../../support/aws-cloud.ts'
import { offering } from '../../support/cloud-pools.ts'

let cloud: AwsCloud
beforeEach(async () => {
  cloud = await awsCloud()
})
afterEach(() => cloud.dispose())

const one = [offering('g5.xlarge', { zone: 'subnet-a' })]
const spotFirst = (of: Offering[]): Offering[] => [
  ...of.map((each): Offering => ({ ...each, capacityType: 'spot' })),
  ...of,
]
const config = { spot: { enabled: true, fallback: 'on_demand' } } as const
const role = 'AuthFailure.ServiceLinkedRoleCreationNotPermitted'
const message =
  'The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances.'

describe('without the service-linked role for spot', () => {
  it.each([
    ['one offering', one],
    ['several', bothTypes],
  ])('in the answer of a fleet of %s, VMs are bought on demand', async (_, of) => {
    cloud.ec2.world.fleetRefuses.spot = [role, message]
    const result = await (await cloud.open(config)).launch(cloud.order(2, spotFirst(of)))
    expect(result.instances.map(({ capacityType }) => capacityType)).toEqual(['on_demand', 'on_demand'])
    expect(result.failures).toHaveLength(of.length)
    for (const failure of result.failures) {
      expect(failure).toMatchObject({ class: 'auth', missing: 0, offering: { capacityType: 'spot' } })
      expect(failure.problem.code).toBe('PROVIDER_AUTH')
      expect(failure.problem.remedy).toContain(
        'aws iam create-service-linked-role --aws-service-name spot.amazonaws.com',
      )
    }
  })

  it.each([
    ['one offering', one],
    ['several', bothTypes],
  ])('when the call for a fleet of %s is refused, too', async (_, of) => {
    cloud.ec2.faults.push({
      action: 'CreateFleet',
      kind: 'error',
      code: role,
      message,
      status: 403,
      times: 1,
    })
    const result = await (await cloud.open(config)).launch(cloud.order(2, spotFirst(of)))
    expect(result.instances.map(({ capacityType }) => capacityType)).toEqual(['on_demand', 'on_demand'])
    expect(result.failures.map((failure) => failure.offering)).toEqual(spotFirst(of).slice(0, of.length))
  })

  it('and without a fallback, the problem is a missing permission', async () => {
    cloud.ec2.world.fleetRefuses.spot = [role, message]
    const spot = spotFirst(one).slice(0, 1)
    const result = await (await cloud.open()).launch(cloud.order(2, spot))
    expect(result).toMatchObject({ instances: [], failures: [{ class: 'auth', missing: 2 }] })
  })
})

it.each(['AccountOnHold', 'Client.InvalidKMSKey.InvalidState'])(
  'a fleet that refuses with %s has decided: its launch is settled',
  async (code) => {
    cloud.ec2.world.fleetRefuses.on_demand = [code, 'because']
    const { failures } = await (await cloud.open()).launch(cloud.order(1, bothTypes))
    expect(new Set(failures.map((failure) => failure.class))).toEqual(new Set(['config']))
    for (const { problem } of failures) expect(problem.remedy).not.toMatch(/nothing to do/i)
  },
)

describe('a region without an address', () => {
  const failed = async (region: string) => {
    vi.stubEnv('AWS_ENDPOINT_URL_EC2', undefined)
    const lookup = (name: string, _: unknown, callback: (error: Error) => void) =>
      callback(
        Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND', hostname: name }),
      )
    const { Agent } = await import('node:https')
    const requestHandler = { httpsAgent: new Agent({ lookup: lookup as never }) }
    const api = ec2Client(region, {}, { requestHandler, maxAttempts: 1 })
    const error: unknown = await api.describeInstances({}).catch((reason: unknown) => reason)
    api.close()
    return ec2Failure(error, 'list')
  }

  it.each(['us-wset-2', 'eu-central-9', 'us-west-2a'])(
    'that AWS does not have is a configuration error: %s',
    async (region) => {
      const found = await failed(region)
      expect(found.class).toBe('config')
      expect(found.problem.message).toContain(`"${region}" is not a known AWS region`)
      expect(found.problem.remedy).toContain('region')
    },
  )

  it.each(['us-west-2', 'cn-north-1', 'us-gov-west-1'])(
    'that AWS has is an error of DNS: %s',
    async (region) => {
      const found = await failed(region)
      expect(found.class).toBe('transient')
      expect(found.problem.message).toContain(`ec2.${region}.amazonaws.com`)
      expect(found.problem.remedy).toContain('DNS servers')
    },
  )
})

it('a profile that does not exist is named', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere')
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere')
  vi.stubEnv('AWS_PROFILE', 'research')
  cloud.env['AWS_PROFILE'] = 'research'
  const { problems } = await (await cloud.open()).list()
  expect(problems).toMatchObject([{ code: 'PROVIDER_AUTH' }])
  expect(problems[0]!.message).toContain('AWS_PROFILE is "research"')
  expect(problems[0]!.remedy).toContain('aws configure list-profiles')
})

it('the reason why an instance terminated contains its code, once', async () => {
  const provider = await cloud.open()
  const { instances } = await provider.launch(cloud.order(1, one))
  cloud.ec2.world.end(instances[0]!.id, 'Client.InternalError: Client error on launch')
  expect((await provider.list()).instances[0]!.stateReason).toBe(
    'Client.InternalError: Client error on launch. Most often EC2 may not use the KMS key of a volume: see KMS in docs/aws.md',
  )
  cloud.ec2.world.end(instances[0]!.id, 'Client.InvalidKMSKey.InvalidState: The KMS key is disabled')
  expect((await provider.list()).instances[0]!.stateReason).toBe(
    'Client.InvalidKMSKey.InvalidState: The KMS key is disabled. See KMS in docs/aws.md',
  )
})
