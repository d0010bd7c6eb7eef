// Google Compute Engine as a provider. Loads no SDK until a pool is opened or checked.

import { acceptedProofs, providerBlock } from '../../config/index.ts'
import type { Offering } from '../../planner/index.ts'
import type { ProviderDefinition } from '../definition.ts'
import { lazyVerifier } from '../join-proof.ts'
import { firstType, slotTypeByType, withReserved } from '../offerings.ts'
import { machinePartials, proofPartials } from '../templates.generated.ts'
import { joinProblems, tokenKind } from './join-kinds.ts'
import { shownPool } from './labels.ts'
import { madeFrom } from './made-from.ts'
import { gceHostAliases, gceMetadata, isGceHostAlias } from './metadata-client.ts'
import { buildRequest } from './request.ts'
import { type GcpConfig, gcpRules, publicGcpImage } from './rules.ts'
import { gcpProvider } from './schema.ts'
import { gcpSynonyms } from './synonyms.ts'

export const gcp: ProviderDefinition<GcpConfig> = {
  ...providerBlock({
    kind: 'gcp',
    proofKinds: [tokenKind],
    schema: gcpProvider,
    rules: gcpRules,
    synonyms: gcpSynonyms,
    hostAliases: gceHostAliases,
    defaultHost: 'internal-ip',
    reference: {
      example: ['project: my-project', 'zone: us-central1-a', `boot_disk_source_image: ${publicGcpImage}`],
      images: `GCP: \`boot_disk_source_image: ${publicGcpImage}\` ([Deep Learning VM Images](https://cloud.google.com/deep-learning-vm/docs/images)); \`gcloud compute images list --project deeplearning-platform-release --no-standard-images\` lists the current families.`,
      slots:
        'On GCP the machine type determines the built-in GPUs (a2, a3, a4, g2, g4); N1 machines get `gpu_num` attached GPUs.',
      differences: [
        ['`boot_disk_source_image`', 'built-in images', 'is required'],
        ['`network` without `subnetwork`', 'half of it ignored', 'refused'],
        ['GCP machine types', 'a fixed list', 'any name of the right form'],
        [
          'GPUs of other than N1 machines',
          'four T4 unless set otherwise',
          'what the machine type has built in',
        ],
        ['`boot_disk_type`', '`pd-standard`', '`pd-standard` if the machine series supports it'],
        ['`agent_config_file_contents` on GCP', 'dropped', 'used'],
        ['`label_key`', 'decides which instances are managed', 'never decides that'],
      ],
    },
  }),
  name: 'Google Cloud',
  meaning: 'the instance is on Compute Engine',
  partial: { at: 'agent', template: { compiled: machinePartials['gcp'] } },
  proofPartial: { compiled: proofPartials['gcp'] },
  // `startup-script` is run without unpacking, so a stub unpacks the rest. The limit is that of one metadata value:
  // https://cloud.google.com/compute/docs/metadata/setting-custom-metadata#limitations
  userData: { limit: 262_144, overflow: 'gzip-stub' },
  identityKeys: ['project', 'zone', 'zones'],
  // A launch names the newest image, or its family.
  launchKeys: ['rollout.images'],
  onThisMachine: false,
  visibilityMs: 60_000,
  offerings: (config) => offeringsOf(config, zonesOf(config)),
  madeFrom,
  agent: (config) => ({
    slotType: slotTypeByType(config),
    // As Determined's provisioner passes it (gcp.go).
    dockerLogOptions: config.use_cloud_logging ? ['--log-driver=gcplogs'] : [],
  }),
  request: (input) => buildRequest(input),
  resourcePool: (config) => ({
    type: 'RESOURCE_POOL_TYPE_GCP',
    location: zonesOf(config).join(', '),
    // Determined's `instance_type.preemptible` is part of it.
    preemptible: config.spot.enabled,
    ...firstType(config),
  }),
  async resolveAlias(alias, options) {
    return isGceHostAlias(alias) ? gceMetadata(options).get(alias) : undefined
  },
  leastRights: async (pools) => (await import('./iam-role.ts')).leastRole(pools),
  joinProofs: (config, context) =>
    acceptedProofs(config.join, [tokenKind]).map((kind) =>
      lazyVerifier(kind, async () =>
        (await import('./join-proof.ts')).identityTokenVerifier(config, context),
      ),
    ),
  joinProblems,
  async endpoints(_, env) {
    const { endpointsOf, tokenServer } = await import('./transport.ts')
    const { compute, resourceManager } = endpointsOf(env)
    return [compute.origin, resourceManager.origin, tokenServer]
  },
  open: async (context) => (await import('./provider.ts')).create(context),
  poolShownAs: shownPool,
  openCluster: async (location, context) => (await import('./provider.ts')).createCluster(location, context),
  check: async (context, offerings, signal) => (await import('./check.ts')).check(context, offerings, signal),
}

function offeringsOf(config: GcpConfig, zones: string[]): Offering[] {
  const { reservation, only = false } = config.capacity ?? {}
  return withReserved(config, zones, reservation === undefined ? undefined : { only })
}

function zonesOf({ zones, zone }: GcpConfig): string[] {
  return zones.length ? zones : [zone ?? '']
}
