// The EC2 requests of a launch as data: `--dry-run` shows exactly what the provider sends.

import { createHash } from 'node:crypto'
import type {
  CreateFleetRequest,
  CreateLaunchTemplateRequest,
  CreatePlacementGroupRequest,
  FleetLaunchTemplateOverridesRequest,
  RunInstancesRequest,
} from '@aws-sdk/client-ec2'
import type { AgentSetup } from '../../agent-setup/index.ts'
import type { MasterAddress } from '../../pki/index.ts'
import type { Offering } from '../../planner/index.ts'
import type { Problem } from '../../problems/index.ts'
import type { CloudCall, Intent, LaunchRequest, Ownership, RequestInput } from '../contract.ts'
import { volumeProblems, withBase } from './base-config.ts'
import {
  type AwsFacts,
  intentTag,
  machineOf,
  metadataProblems,
  poolTags,
  type SettledFacts,
  settleFacts,
  tagProblems,
  tagSpecifications,
} from './machine.ts'
import { efaCount, networkInterfaces } from './network.ts'
import { ownGroup } from './placement.ts'
import { capacityOptions, offeringsOf } from './reservations.ts'
import type { AwsConfig } from './rules.ts'

export type AwsRequestInput = Omit<RequestInput<AwsConfig>, 'setup'> & { setup: Pick<AgentSetup, 'master'> }

export interface AwsLaunch {
  region: string
  steps: LaunchStep[]
  problems: Problem[]
}

/** All calls of a launch in order, and their problems and unknown values. Pure. */
export function awsLaunch(input: AwsRequestInput, known: AwsFacts = {}): AwsLaunch {
  const { config, owner, intent } = input
  const { master } = input.setup
  const { facts, problems } = settleFacts(config, known)
  const tags = [...poolTags({ config, owner, master, tagValue: facts.tagValue }), intentTag(intent.id)]
  return {
    region: facts.region,
    steps: launchSteps({ config, owner, master, intent, facts }),
    problems: [
      ...problems,
      ...tagProblems(tags),
      ...metadataProblems(config),
      ...volumeProblems(config.base_config, facts.rootDevice),
    ],
  }
}

/** The first call with the launch templates, then the calls for VMs that it cannot launch. */
export function buildRequest(input: AwsRequestInput, known?: AwsFacts): LaunchRequest {
  const { region, steps, problems } = awsLaunch(input, known)
  const [first, ...others] = steps.map(callOf)
  const templates = steps.flatMap((step) => (step.call === 'CreateFleet' ? [step.template] : []))
  const group = steps.flatMap((step) => (step.call === 'RunInstances' ? (step.group ?? []) : [])).slice(0, 1)
  const before = [
    ...group.map((body) => ({ call: 'CreatePlacementGroup', body: { ...body } })),
    ...templates.map((body) => ({ call: 'CreateLaunchTemplate', body: { ...body } })),
  ]
  return {
    ...first!,
    region,
    ...(before.length ? { before } : {}),
    ...(others.length ? { fallbacks: others } : {}),
    problems,
  }
}

function callOf({ call, request }: LaunchStep): CloudCall {
  return { call, body: { ...request } }
}

// From an intent to its calls: one for each capacity type, in the order they are tried.

export interface StepInput {
  config: AwsConfig
  owner: Ownership
  master: MasterAddress
  intent: Intent
  facts: SettledFacts
}

export type LaunchStep =
  | {
      call: 'RunInstances'
      offerings: Offering[]
      request: RunInstancesRequest
      /** Made first, for these instances only: they are launched all or none. */
      group?: CreatePlacementGroupRequest
    }
  | {
      call: 'CreateFleet'
      offerings: Offering[]
      request: CreateFleetRequest
      template: CreateLaunchTemplateRequest
    }

/** The calls that launches of a pool may use, whichever offerings are tried. */
export function callsOf(config: AwsConfig) {
  const offerings = offeringsOf(config)
  const onDemand = offerings.filter(({ capacityType }) => capacityType === 'on_demand')
  const spot = offerings.some(({ capacityType }) => capacityType === 'spot')
  const fleets = spot || onDemand.length > 1
  const parameter = 'ssm' in config.image
  return { spot, fleets, parameter, templates: fleets || parameter }
}

/**
 * One on-demand offering is one RunInstances; several on-demand offerings, and spot, use a fleet that chooses among
 * them. Types with another number of EFA interfaces need a template, and a fleet, of their own. Each reserved offering is a RunInstances: a reservation is for one
 * type in one zone. So is each offering of a gang with a placement group, which is in one zone: a fleet could be in several.
 */
export function launchSteps(input: StepInput): LaunchStep[] {
  const { offerings, count } = input.intent
  const group = groupOf(input)
  const kindOf = ({ capacityType, instanceType, zone }: Offering) =>
    capacityType === 'reserved' || group
      ? `${capacityType} ${instanceType} ${zone}`
      : `${capacityType} ${efaCount(input.config, instanceType)}`
  const kinds = Map.groupBy(offerings, kindOf)
  return [...kinds.values()].map((ofKind, index) => launchStep(input, ofKind, { index, count, group }))
}

/** The placement group that the launch makes, tagged as its instances are. */
function groupOf({
  config,
  owner,
  master,
  intent,
  facts,
}: StepInput): CreatePlacementGroupRequest | undefined {
  const GroupName = ownGroup(config, owner, intent)
  if (GroupName === undefined) return undefined
  const tags = [...poolTags({ config, owner, master, tagValue: facts.tagValue }), intentTag(intent.id)]
  return { GroupName, Strategy: 'cluster', TagSpecifications: tagSpecifications(tags, ['placement-group']) }
}

/**
 * Step `index` for `count` VMs. The token is derived from the intent, so that sending it again launches nothing new.
 */
function launchStep(
  input: StepInput,
  offerings: Offering[],
  { index, count, group }: { index: number; count: number; group: CreatePlacementGroupRequest | undefined },
): LaunchStep {
  const token = index === 0 ? input.intent.id : `${input.intent.id}-${index}`
  const [only, ...others] = offerings
  if (only!.capacityType !== 'spot' && !others.length && !group)
    return { call: 'RunInstances', offerings, request: runInstances(input, only!, token, count) }
  if (group)
    return withCount(
      { call: 'RunInstances', offerings, request: runInstances(input, only!, token, count, group), group },
      count,
    )
  const template = launchTemplate(input, only!)
  return {
    call: 'CreateFleet',
    offerings,
    request: fleet(input, offerings, template, token, count),
    template,
  }
}

/** The same step for fewer VMs: without those that earlier steps have launched. */
export function withCount(step: LaunchStep, count: number): LaunchStep {
  if (step.call === 'RunInstances') {
    // Part of a gang would have to wait for the rest, which another group could not put next to it.
    const all = step.group ? { MinCount: count } : {}
    return { ...step, request: { ...step.request, MaxCount: count, ...all } }
  }
  const capacity = { ...step.request.TargetCapacitySpecification, TotalTargetCapacity: count }
  return { ...step, request: { ...step.request, TargetCapacitySpecification: capacity } }
}

/** Instances in one call: AWS advises small requests, and a response of thousands is megabytes. */
export const largestLaunch = 500

function countOf({ call, request }: LaunchStep): number {
  const count =
    call === 'RunInstances' ? request.MaxCount : request.TargetCapacitySpecification?.TotalTargetCapacity
  return count ?? 0
}

/** The step in parts of at most 500 VMs. Each part has a token of its own, derived from the step's: the same each time. */
export function batchesOf(step: LaunchStep): LaunchStep[] {
  const batches: LaunchStep[] = []
  for (let left = countOf(step); left > 0 || batches.length === 0; left -= largestLaunch)
    batches.push(withToken(withCount(step, Math.min(left, largestLaunch)), batches.length))
  return batches
}

function withToken(step: LaunchStep, batch: number): LaunchStep {
  if (batch === 0) return step
  const ClientToken = `${step.request.ClientToken}-part${batch}`
  if (step.call === 'RunInstances') return { ...step, request: { ...step.request, ClientToken } }
  return { ...step, request: { ...step.request, ClientToken } }
}

function runInstances(
  input: StepInput,
  offering: Offering,
  token: string,
  count: number,
  group?: CreatePlacementGroupRequest,
): RunInstancesRequest {
  const { NetworkInterfaces, ...machine } = machineWithBase(input, offering, group?.GroupName)
  const spot = offering.capacityType === 'spot'
  const subnet = offering.zone ? { SubnetId: offering.zone } : {}
  return {
    ClientToken: token,
    MinCount: 1,
    MaxCount: count,
    InstanceType: offering.instanceType as NonNullable<RunInstancesRequest['InstanceType']>,
    ...machine,
    ...(offering.capacityType === 'reserved' ? capacityOptions(input.config) : {}),
    ...(spot ? spotOptions(input.config) : {}),
    NetworkInterfaces: NetworkInterfaces.map((one) => ({ ...one, ...subnet })),
    TagSpecifications: tagSpecifications(instanceTags(input), [
      'instance',
      'volume',
      'network-interface',
      ...(spot ? (['spot-instances-request'] as const) : []),
    ]),
  }
}

/** Without a fleet, a spot instance is requested by the launch itself. */
function spotOptions({ spot: { max_price } }: AwsConfig) {
  const once = { SpotInstanceType: 'one-time', InstanceInterruptionBehavior: 'terminate' } as const
  const SpotOptions = { ...once, ...(max_price ? { MaxPrice: max_price } : {}) }
  return { InstanceMarketOptions: { MarketType: 'spot', SpotOptions } } as const
}

/** The settings of an instance of this offering but its type and subnet; a fleet overrides the subnet of every interface. */
function machineWithBase({ config, facts }: StepInput, { instanceType }: Offering, group?: string) {
  const machine = {
    ...machineOf(config, facts, group),
    NetworkInterfaces: networkInterfaces(config, instanceType),
  } satisfies Partial<RunInstancesRequest>
  return withBase(machine, config.base_config, facts.rootDevice)
}

function fleet(
  input: StepInput,
  offerings: Offering[],
  template: CreateLaunchTemplateRequest,
  token: string,
  count: number,
): CreateFleetRequest {
  const spot = offerings[0]!.capacityType === 'spot'
  return {
    ClientToken: token,
    Type: 'instant',
    TargetCapacitySpecification: {
      TotalTargetCapacity: count,
      DefaultTargetCapacityType: spot ? 'spot' : 'on-demand',
    },
    ...(spot
      ? {
          SpotOptions: {
            AllocationStrategy: 'price-capacity-optimized',
            InstanceInterruptionBehavior: 'terminate',
          },
        }
      : { OnDemandOptions: { AllocationStrategy: 'prioritized' } }),
    LaunchTemplateConfigs: [
      {
        LaunchTemplateSpecification: { LaunchTemplateName: template.LaunchTemplateName, Version: '1' },
        Overrides: offerings.map((offering, priority) => override(input.config, offering, priority)),
      },
    ],
    TagSpecifications: tagSpecifications(instanceTags(input), ['instance', 'volume', 'fleet']),
  }
}

function override(
  { spot }: AwsConfig,
  offering: Offering,
  priority: number,
): FleetLaunchTemplateOverridesRequest {
  return {
    InstanceType: offering.instanceType as NonNullable<FleetLaunchTemplateOverridesRequest['InstanceType']>,
    ...(offering.zone ? { SubnetId: offering.zone } : {}),
    ...(offering.capacityType === 'on_demand' ? { Priority: priority } : {}),
    ...(offering.capacityType === 'spot' && spot.max_price ? { MaxPrice: spot.max_price } : {}),
  }
}

/**
 * Contains nothing of the intent: all launches of the same VMs share it. Its name is the hash of its content. It tags
 * what a fleet's own tags do not reach; with tags for spot requests in it, EC2 would refuse every on-demand VM.
 */
function launchTemplate(input: StepInput, offering: Offering): CreateLaunchTemplateRequest {
  const tags = poolTags({ ...input, tagValue: input.facts.tagValue })
  const data = {
    ...machineWithBase(input, offering),
    TagSpecifications: tagSpecifications(tags, [
      'network-interface',
      ...(offering.capacityType === 'spot' ? (['spot-instances-request'] as const) : []),
    ]),
  } satisfies CreateLaunchTemplateRequest['LaunchTemplateData']
  return {
    LaunchTemplateName: templateName(input, JSON.stringify(data)),
    LaunchTemplateData: data,
    TagSpecifications: tagSpecifications(tags, ['launch-template']),
  }
}

export const templatePrefix = 'agent-provisioner'

/** At most 128 characters of `[a-zA-Z0-9().-/_]`; a placeholder while the user data is unknown. */
function templateName({ owner, facts }: StepInput, content: string): string {
  const pool = owner.pool.replace(/[^a-zA-Z0-9_.-]/g, '-').slice(0, 64)
  if (facts.userData.startsWith('<')) return `${templatePrefix}-${pool}-<hash of the template>`
  return `${templatePrefix}-${pool}-${createHash('sha256').update(content).digest('hex').slice(0, 24)}`
}

function instanceTags(input: StepInput) {
  return [...poolTags({ ...input, tagValue: input.facts.tagValue }), intentTag(input.intent.id)]
}
