// The SDK sends every field of our requests (it drops unknown ones), and its enums contain our values.
import {
  CreateFleetCommand,
  CreateLaunchTemplateCommand,
  DefaultTargetCapacityType,
  EC2Client,
  FleetOnDemandAllocationStrategy,
  FleetType,
  HttpTokensState,
  InstanceMetadataEndpointState,
  ResourceType,
  RunInstancesCommand,
  ShutdownBehavior,
  SpotAllocationStrategy,
  SpotInstanceInterruptionBehavior,
  VolumeType,
} from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { awsLaunch } from '../../../../src/providers/aws/request.ts'
import { awsConfig, intentOf, master, offering, owner } from '../../../support/cloud-pools.ts'

const config = awsConfig({
  volume: { type: 'gp3', size: 200, encrypted: true, iops: 4000, throughput: 300 },
  ssh_key_name: 'ops',
  iam_instance_profile_arn: 'arn:aws:iam::1:instance-profile/agent',
  network_interface: { public_ip: false, subnet_id: '', security_group_id: 'sg-1' },
  spot: { enabled: true, max_price: '1.5', fallback: 'on_demand' },
})
const facts = { rootDevice: '/dev/sda1', userData: 'IyEK' }

function stepsOf(...capacity: ('spot' | 'on_demand')[]) {
  const offerings = capacity.map((capacityType, index) =>
    offering(`g${index + 4}dn.xlarge`, { capacityType, zone: `subnet-${index}` }),
  )
  return awsLaunch({ config, owner, setup: { master }, intent: intentOf(offerings) }, facts).steps
}

const steps = [...stepsOf('spot', 'on_demand'), ...stepsOf('on_demand', 'on_demand')]
const templates = steps.flatMap((step) => (step.call === 'CreateFleet' ? [step.template] : []))

/** Parameters of the query that the SDK would send. */
async function sent(command: unknown): Promise<Map<string, string>> {
  const seen: string[] = []
  const client = new EC2Client({
    region: 'us-west-2',
    credentials: { accessKeyId: 'x', secretAccessKey: 'y' },
    requestHandler: {
      handle: ({ body }: { body: string }) => {
        seen.push(body)
        return Promise.reject(new Error('not sent'))
      },
    },
    maxAttempts: 1,
  })
  await client.send(command as RunInstancesCommand).catch(() => undefined)
  const parameters = new Map(new URLSearchParams(seen[0]))
  parameters.delete('Action')
  parameters.delete('Version')
  return parameters
}

function leaves(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [String(value)]
}

const commands = [
  ...steps.map((step) => ({
    name: `${step.call} ${step.offerings.map((one) => one.capacityType).join(', ')}`,
    input: step.request,
    command:
      step.call === 'RunInstances'
        ? new RunInstancesCommand(step.request)
        : new CreateFleetCommand(step.request),
  })),
  ...templates.map((template) => ({
    name: 'CreateLaunchTemplate',
    input: template,
    command: new CreateLaunchTemplateCommand(template),
  })),
]

describe('the SDK sends all of', () => {
  it.each(commands)('$name', async ({ input, command }) => {
    const parameters = await sent(command)
    if (input.ClientToken) expect(parameters.get('ClientToken')).toBe(input.ClientToken)
    // The SDK adds a token if we pass none.
    parameters.delete('ClientToken')
    expect([...parameters.values()].sort()).toEqual(leaves({ ...input, ClientToken: [] }).sort())
  })

  it('but not of an unknown field, which is what this test detects', async () => {
    const request = { MinCount: 1, MaxCount: 1, ImageID: 'ami-1' }
    expect([...(await sent(new RunInstancesCommand(request))).keys()]).not.toContain('ImageID')
  })
})

describe('enums', () => {
  const text = JSON.stringify([steps, templates])
  const values = (name: string) =>
    [...text.matchAll(new RegExp(`"${name}":"([^"]*)"`, 'g'))].map((match) => match[1])

  it.each([
    ['VolumeType', VolumeType],
    ['HttpTokens', HttpTokensState],
    ['HttpEndpoint', InstanceMetadataEndpointState],
    ['InstanceInitiatedShutdownBehavior', ShutdownBehavior],
    ['InstanceInterruptionBehavior', SpotInstanceInterruptionBehavior],
    ['AllocationStrategy', { ...SpotAllocationStrategy, ...FleetOnDemandAllocationStrategy }],
    ['DefaultTargetCapacityType', DefaultTargetCapacityType],
    ['Type', FleetType],
    ['ResourceType', ResourceType],
  ])('%s has values the SDK knows', (name, known) => {
    expect(values(name).length).toBeGreaterThan(0)
    expect(Object.values(known)).toEqual(expect.arrayContaining(values(name)))
  })
})
