// The machines of a rack as VMs of a pool (`type: rack`): `machines.sh` starts, lists and stops them.
import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import {
  commonRules,
  type Instance,
  type LaunchOrder,
  lastStage,
  type Ownership,
  ownerTags,
  ownerTagsOf,
  type Provider,
  type ProviderDefinition,
  problem,
  providerBlock,
  providerSchema,
  type TerminateResult,
  z,
} from 'dynamic-agent-provisioner'

export const machinesProgram = join(import.meta.dirname, 'machines.sh')

/** The models, and the GPUs of each. */
const models = { r2: 2, r8: 8 }

const schema = providerSchema('rack', 'Machines of our rack.', {
  folder: z.needed(z.name, 'Where the machines keep their files.'),
  model: z.keyOr(z.choice('r2', 'r8'), 'r2', 'The model: r2 has 2 GPUs, r8 has 8.'),
})

const block = providerBlock({
  kind: 'rack',
  schema,
  rules(keys, block) {
    const common = commonRules(keys, block, false)
    return (whole) => ({ ...whole, ...common(whole), folder: resolve(block.reading.folder, whole.folder) })
  },
})

type RackConfig = NonNullable<ReturnType<typeof block.read>>

export const rack: ProviderDefinition<RackConfig> = {
  ...block,
  name: 'our rack',
  meaning: 'the VM is a machine of our rack',
  partial: { at: 'agent', template: 'export DET_AGENT_ID=$MACHINE\n' },
  userData: { overflow: 'error' },
  identityKeys: ['folder'],
  onThisMachine: false,
  visibilityMs: 0,
  offerings: ({ model }) => [
    { instanceType: model, zone: '', capacityType: 'on_demand', slots: models[model] },
  ],
  agent: () => ({ slotType: 'cuda' }),
  request: ({ config: { folder }, owner, intent }) => ({
    call: 'machines.sh start',
    body: { folder, ids: idsOf(intent), tags: tagsOf({ owner, intent }) },
    problems: [],
  }),
  resourcePool: ({ model }) => ({
    type: 'RESOURCE_POOL_TYPE_STATIC',
    location: '',
    instanceType: model,
    slotsPerAgent: models[model],
    preemptible: false,
  }),
  open: async ({ config, owner }) => openRack(config.folder, owner),
}

/** The same intent always has the same names, so it cannot launch twice. */
const idsOf = ({ id, count }: LaunchOrder['intent']) =>
  Array.from({ length: count }, (_, n) => `rack-${id}-${n + 1}`)

/** All facts about a machine that are needed later become its tags when it is started. */
const tagsOf = ({ owner, intent }: Pick<LaunchOrder, 'owner' | 'intent'>) => ({
  ...ownerTagsOf(owner, intent.id),
  model: intent.offerings[0]!.instanceType,
})

export function openRack(folder: string, owner: Ownership): Provider {
  const isOurs = ({ tags }: Machine) =>
    tags[ownerTags.cluster] === owner.clusterId && tags[ownerTags.pool] === owner.pool

  async function machines(words: string[], signal?: AbortSignal, input?: Uint8Array): Promise<string> {
    signal?.throwIfAborted()
    const running = promisify(execFile)(machinesProgram, [folder, ...words], { signal })
    running.child.stdin?.on('error', () => {}).end(input ?? '')
    return (await running).stdout
  }

  async function everyMachine(signal?: AbortSignal): Promise<Machine[]> {
    return (await machines(['list'], signal)).split('\n').filter(Boolean).map(machineOf)
  }

  return {
    kind: 'rack',

    async list(signal) {
      try {
        const ours = (await everyMachine(signal)).filter(isOurs)
        return { instances: ours.map(instanceOf), complete: true, problems: [] }
      } catch (error) {
        return { instances: [], complete: false, problems: [failureOf(error, signal).problem] }
      }
    },

    async launch(order, signal) {
      const instances: Instance[] = []
      try {
        for (const id of idsOf(order.intent)) {
          const words = ['start', id, JSON.stringify(tagsOf(order))]
          instances.push(instanceOf(machineOf(await machines(words, signal, order.userData.packed))))
        }
        return { instances, failures: [] }
      } catch (error) {
        const missing = order.intent.count - instances.length
        return { instances, failures: [{ ...failureOf(error, signal), missing }] }
      }
    },

    async terminate(ids, signal) {
      const result: TerminateResult = { terminated: [], failures: [] }
      for (const id of ids) {
        try {
          const machine = (await everyMachine(signal)).find((one) => one.id === id)
          if (machine && !isOurs(machine)) {
            const foreign = problem('PROVIDER_NOT_OURS', `${id} does not belong to pool ${owner.pool}`)
            result.failures.push({ id, class: 'config', problem: foreign })
            continue
          }
          // An unknown machine is gone.
          if (machine) await machines(['stop', id], signal)
          result.terminated.push(id)
        } catch (error) {
          result.failures.push({ id, ...failureOf(error, signal) })
        }
      }
      return result
    },

    slotsOf: async (model) => new Map(Object.entries(models)).get(model),
    consoleStage: async (id, signal) => lastStage(await machines(['console', id], signal)),
    close: async () => {},
  }
}

type Machine = ReturnType<typeof machineOf>

const states = ['running', 'stopped', 'terminated'] as const

/** A line of `machines.sh`. */
function machineOf(line: string) {
  const [, id, said, started, tags] = /^(\S+) (\w+) (\d+) (\{.*\})$/.exec(line.trim()) ?? []
  const state = states.find((one) => one === said)
  if (!id || !state || !tags) throw new Error(`cannot read the line ${JSON.stringify(line)} of machines.sh`)
  const read: Record<string, string | undefined> = JSON.parse(tags)
  return { id, state, started: Number(started), tags: read }
}

const instanceOf = ({ id, state, started, tags }: Machine): Instance => ({
  id,
  pool: tags[ownerTags.pool] ?? '',
  writerId: tags[ownerTags.writer],
  intentId: tags[ownerTags.intent],
  state,
  ...(state !== 'running' && { stateReason: `machines.sh reports ${state}` }),
  launchedAt: started * 1000,
  instanceType: tags['model'] ?? '',
  zone: '',
  capacityType: 'on_demand',
})

/** The effect of a failed call is unknown, so it is repeated. */
function failureOf(error: unknown, signal?: AbortSignal) {
  signal?.throwIfAborted()
  return {
    class: 'transient' as const,
    problem: problem('PROVIDER_TRANSIENT', String(error), { cause: error }),
  }
}
