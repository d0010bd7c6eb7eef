// This machine as a provider: VMs are processes, and the agent is this program.

import { acceptedProofs, providerBlock } from '../../config/index.ts'
import type { ProviderDefinition } from '../definition.ts'
import { lazyVerifier } from '../join-proof.ts'
import { machinePartials, proofPartials } from '../templates.generated.ts'
import { buildRequest, type LocalConfig, localProvider, localRules } from './request.ts'

const proofKinds = ['local-secret']

export const local: ProviderDefinition<LocalConfig> = {
  ...providerBlock({
    kind: 'local',
    proofKinds,
    schema: localProvider,
    rules: localRules,
    reference: {
      intro:
        'Instances are processes on this machine; `agent_runtime` is always `process`: `provider: {type: local, min_instances: 2, slots: 1}`.',
    },
  }),
  name: 'this machine',
  meaning: 'the instance is a process on this machine',
  partial: { at: 'first', template: { compiled: machinePartials['local'] } },
  proofPartial: { compiled: proofPartials['local'] },
  userData: { overflow: 'error' },
  identityKeys: [],
  onThisMachine: true,
  visibilityMs: 0,
  offerings: ({ slots }) => [{ instanceType: 'local', zone: '', capacityType: 'on_demand', slots }],
  agent: ({ slots }, ownAgent) => ({
    slotType: slots > 0 ? 'auto' : 'none',
    command: [...ownAgent],
    artificialSlots: slots,
  }),
  request: (input) => buildRequest(input),
  resourcePool: ({ slots }) => ({
    type: 'RESOURCE_POOL_TYPE_STATIC',
    location: '',
    instanceType: '',
    slotsPerAgent: slots,
    preemptible: false,
  }),
  joinProofs: ({ join }, context) =>
    acceptedProofs(join, proofKinds).map((kind) =>
      lazyVerifier(kind, async () => (await import('./join-secret.ts')).joinSecretVerifier(context)),
    ),
  open: async (context) => (await import('./provider.ts')).create(context),
  openCluster: async (_, context) => (await import('./provider.ts')).openCluster(context),
}
