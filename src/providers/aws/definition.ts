// Amazon EC2 as a provider. Loads no SDK until a pool is opened or checked.

import { acceptedProofs, providerBlock } from '../../config/index.ts'
import type { ProviderDefinition } from '../definition.ts'
import { lazyVerifier } from '../join-proof.ts'
import { firstType, slotTypeByType } from '../offerings.ts'
import { machinePartials, proofPartials } from '../templates.generated.ts'
import { documentKind, joinProblems, stsKind } from './join-kinds.ts'
import { madeFrom } from './made-from.ts'
import { ec2HostAliases, ec2Metadata, isEc2HostAlias } from './metadata.ts'
import { groupsGangs } from './placement.ts'
import { buildRequest, largestLaunch } from './request.ts'
import { offeringsOf } from './reservations.ts'
import { type AwsConfig, awsRules, publicAwsImage } from './rules.ts'
import { awsProvider } from './schema.ts'
import { awsSynonyms } from './synonyms.ts'

/** An identity document can be used again by whoever has read it, so it counts only where a pool names it. */
const proofKinds = [stsKind, documentKind]

export const aws: ProviderDefinition<AwsConfig> = {
  ...providerBlock({
    kind: 'aws',
    proofKinds,
    schema: awsProvider,
    rules: awsRules,
    synonyms: awsSynonyms,
    hostAliases: ec2HostAliases,
    defaultHost: 'local-ipv4',
    reference: {
      example: [
        'region: us-west-2',
        `image: {ssm: ${publicAwsImage.ssm}}`,
        'instance_type: g5.xlarge',
        'max_instances: 8',
      ],
      images: `AWS: \`image: {ssm: ${publicAwsImage.ssm}}\`, or \`image: {owner: ${publicAwsImage.owner}, name: "${publicAwsImage.name}"}\` ([AWS Deep Learning AMIs](https://docs.aws.amazon.com/dlami/latest/devguide/what-is-dlami.html)).`,
      slots:
        'Otherwise a table of known types is used, so that a dry run needs no cloud: NVIDIA GPU types (p2 to p6, g4dn to g7e), and families without accelerators (0 slots, or one CPU slot with `cpu_slots_allowed`). For any other type the number is required.',
      differences: [
        ['`image_id`', 'built-in images', 'is required'],
        ['`ssh_key_name`', 'needed', 'optional'],
        ['`instance_slots`', 'ignored for known types', 'overrides the table'],
        ['`spot_max_price: "."`', 'accepted', 'refused'],
        ['`log_stream` without `log_group`', 'half of it ignored', 'refused'],
        ['`tag_key`', 'decides which instances are managed', 'never decides that'],
      ],
    },
  }),
  name: 'AWS',
  meaning: 'the instance is on EC2',
  partial: { at: 'agent', template: { compiled: machinePartials['aws'] } },
  proofPartial: { compiled: proofPartials['aws'] },
  // cloud-init unpacks gzip by itself: https://cloudinit.readthedocs.io/en/latest/explanation/format.html
  // The limit: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
  userData: { limit: 16_384, overflow: 'gzip' },
  identityKeys: ['region'],
  onThisMachine: false,
  visibilityMs: 60_000,
  largestLaunch,
  offerings: offeringsOf,
  separatesGangs: groupsGangs,
  madeFrom,
  agent: (config) => ({ slotType: slotTypeByType(config), dockerLogOptions: logOptionsOf(config) }),
  request: (input) => buildRequest(input),
  resourcePool: (config) => ({
    type: 'RESOURCE_POOL_TYPE_AWS',
    location: config.region ?? '',
    preemptible: config.spot.enabled,
    ...firstType(config),
  }),
  async resolveAlias(alias, options) {
    return isEc2HostAlias(alias) ? ec2Metadata(options).get(alias) : undefined
  },
  async leastRights(pools, clusterId) {
    const cluster = clusterId()
    const { leastPolicy } = await import('./iam-policy.ts')
    return leastPolicy(cluster, pools)
  },
  joinProofs: (config, context) =>
    acceptedProofs(config.join, proofKinds).map((kind) =>
      lazyVerifier(kind, async () => (await import('./join-proof.ts')).verifierOf(kind, config, context)),
    ),
  joinProblems: ({ join }) => joinProblems(join),
  async endpoints(config, env) {
    const region = config.region ?? env['AWS_REGION']
    return region ? [(await import('./client.ts')).endpointOf(region, env)] : []
  },
  open: async (context) => (await import('./provider.ts')).create(context),
  openCluster: async (location, context) => (await import('./cluster.ts')).openCluster(location, context),
  check: async (context, offerings, signal) => (await import('./check.ts')).check(context, offerings, signal),
}

/** As Determined's provisioner passes them (aws.go). */
function logOptionsOf({ log_group, log_stream }: AwsConfig): string[] {
  if (!log_group) return []
  const options = ['--log-driver=awslogs', `--log-opt=awslogs-group=${log_group}`]
  return log_stream ? [...options, `--log-opt=awslogs-stream=${log_stream}`] : options
}
