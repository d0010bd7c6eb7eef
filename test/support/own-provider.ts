// An external provider, as a program with its own provider defines it, with only the library's exports.

import {
  type CommonProviderConfig,
  commonRules,
  type Instance,
  type LaunchOrder,
  note,
  type Provider,
  type ProviderDefinition,
  providerBlock,
  providerSchema,
  type StandardSchema,
  standardProviderBlock,
  z,
} from '../../src/index.ts'

/** The launches it received. */
export type Launches = LaunchOrder[]

interface RackKeys {
  rack: string
  slots_per_vm: number
}
export type RackConfig = CommonProviderConfig & RackKeys

const rackSchema = providerSchema('rack', 'VMs of the machines in our rack.', {
  rack: z.needed(z.name, 'The rack.'),
  slots_per_vm: z.keyOr(z.count(1, 16), 2, 'Slots of each VM.'),
})

const zodBlock = providerBlock({
  kind: 'rack',
  schema: rackSchema,
  synonyms: { zone: 'rack' },
  rules(keys, block) {
    const common = commonRules(keys, block, false)
    if (keys.rack === 'cellar')
      note(block, 'CONFIG_CONFLICT', 'Nothing runs in the cellar', { key: 'rack', remedy: 'Take another.' })
    return (whole) => ({ ...whole, ...common(whole) })
  },
})

/** Written by hand, like a library would create it. */
export const handMade: StandardSchema<RackKeys> = {
  '~standard': {
    version: 1,
    vendor: 'by hand',
    validate(value) {
      const { rack, slots_per_vm = 2 } = value as Partial<Record<string, unknown>>
      if (typeof rack !== 'string') return { issues: [{ message: 'a rack is needed', path: ['rack'] }] }
      if (typeof slots_per_vm !== 'number')
        return { issues: [{ message: 'slots are a number', path: [{ key: 'slots_per_vm' }] }] }
      return { value: { rack, slots_per_vm } }
    },
  },
}

const standardBlock = standardProviderBlock({
  kind: 'rack',
  description: 'VMs of the machines in our rack.',
  schema: handMade,
  keys: {
    type: 'object',
    properties: {
      rack: { type: 'string', description: 'The rack.' },
      slots_per_vm: { type: 'integer', description: 'Slots of each VM.' },
    },
    required: ['rack'],
  },
})

export const rackWith = { zod: rackOn(zodBlock), 'a Standard Schema': rackOn(standardBlock) }

/** @param launches is added to */
export function rackOn(
  block: typeof zodBlock | typeof standardBlock,
  launches: Launches = [],
): ProviderDefinition<RackConfig> {
  return {
    ...block,
    name: 'our rack',
    meaning: 'the VM is on a machine of our rack',
    partial: { at: 'agent', template: 'export DET_AGENT_ID={{sh pool}}\n' },
    userData: { limit: 100_000, overflow: 'error' },
    identityKeys: ['rack'],
    onThisMachine: false,
    visibilityMs: 0,
    offerings: ({ rack, slots_per_vm: slots }) => [
      { instanceType: 'vm', zone: rack, capacityType: 'on_demand', slots },
    ],
    agent: () => ({ slotType: 'cuda' }),
    request: ({ config: { rack }, intent: { count } }) => ({
      call: 'boot',
      body: { rack, count },
      problems: [],
    }),
    resourcePool: ({ rack, slots_per_vm: slotsPerAgent }) => ({
      type: 'RESOURCE_POOL_TYPE_STATIC',
      location: rack,
      instanceType: 'vm',
      slotsPerAgent,
      preemptible: false,
    }),
    open: async ({ config, owner }) => remembering(config, owner.pool, launches),
  }
}

function remembering({ rack }: RackConfig, pool: string, launches: Launches): Provider {
  const instances: Instance[] = []
  return {
    kind: 'rack',
    list: async () => ({ instances: [...instances], complete: true, problems: [] }),
    async launch(order) {
      launches.push(order)
      const launched = Array.from({ length: order.intent.count }, (_, n) => ({
        id: `${order.intent.id}-${n}`,
        pool,
        state: 'running' as const,
        instanceType: 'vm',
        zone: rack,
        capacityType: 'on_demand' as const,
        launchedAt: Date.now(),
        intentId: order.intent.id,
        writerId: order.owner.writerId,
      }))
      instances.push(...launched)
      return { instances: launched, failures: [] }
    },
    terminate: async (ids) => ({ terminated: ids, failures: [] }),
    slotsOf: async () => undefined,
    consoleStage: async () => undefined,
    close: async () => {},
  }
}

export const ownRack = (launches: Launches) => rackOn(zodBlock, launches)
