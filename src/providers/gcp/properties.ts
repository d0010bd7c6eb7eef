// The properties of a VM of one machine type: `base_config` with the pool's keys laid over it.

import type { MasterAddress } from '../../pki/master-address.ts'
import type { Offering } from '../../planner/instance.ts'
import { type Problem, problem } from '../../problems/problem.ts'
import type { Intent } from '../launch.ts'
import type { Ownership } from '../ownership.ts'
import { baseProperties } from './base-config.ts'
import type { InstanceProperties } from './compute-types.ts'
import { disksOf } from './disks.ts'
import type { SettledFacts } from './facts.ts'
import type { GcpConfig } from './gcp-config.ts'
import { labelProblems, labelsOf } from './labels.ts'
import { familyOf, machineTypeName } from './machine-type.ts'
import { metadataOf } from './metadata.ts'
import { interfacesOf, networkTagsOf, serviceAccountsOf } from './network.ts'
import { schedulingOf } from './scheduling.ts'

export interface PropertiesInput {
  config: GcpConfig
  owner: Ownership
  master: MasterAddress
  intent: Intent
  facts: SettledFacts
}

export interface Properties {
  properties: InstanceProperties
  problems: Problem[]
}

export function propertiesOf(input: PropertiesInput, offering: Offering, region: string): Properties {
  const { config, owner, master, intent, facts } = input
  const { base, problems } = baseProperties(config)
  const machineType = machineTypeName(offering.instanceType)
  const gpus = acceleratorsOf(config, offering, base)
  const boot = disksOf(config, machineType, base.disks ?? [])
  const label = { config, owner, master, intentId: intent.id, identity: facts.identity }
  const labels = labelsOf(label, base.labels ?? {})
  const { startupScript } = facts
  const metadata = metadataOf(
    { master, owner, intentId: intent.id, startupScript },
    base.metadata?.items ?? [],
  )
  const tags = networkTagsOf(config, base.tags?.items ?? [])
  const accounts = serviceAccountsOf(config, base.serviceAccounts)
  const { guestAccelerators: _, ...kept } = base
  return {
    properties: {
      ...kept,
      machineType,
      disks: boot.disks,
      ...(gpus.accelerators?.length ? { guestAccelerators: gpus.accelerators } : {}),
      networkInterfaces: interfacesOf(config, region, base.networkInterfaces ?? []),
      scheduling: schedulingOf({
        base: base.scheduling ?? {},
        capacity: offering.capacityType,
        decided: config.spot.enabled || offering.capacityType === 'spot',
        stays: gpus.present || !familyOf(machineType).migrates,
      }),
      ...(accounts ? { serviceAccounts: accounts } : {}),
      ...(tags.length ? { tags: { items: tags } } : {}),
      labels,
      metadata: { items: metadata.items },
    },
    problems: [
      ...problems,
      ...gpus.problems,
      ...boot.problems,
      ...labelProblems(label, labels),
      ...metadata.replaced.map((key) => replaced(`metadata ${key}`, 'the provisioner sets it')),
    ],
  }
}

/** N1 takes GPUs; accelerator families bring theirs, and asking for them again is refused; the others have none. */
function acceleratorsOf(config: GcpConfig, offering: Offering, base: InstanceProperties) {
  const { gpu_type, gpu_num } = config.instance_type
  const type = machineTypeName(offering.instanceType)
  const { gpus } = familyOf(type)
  const asked =
    gpu_type && gpu_num > 0 ? [{ acceleratorType: gpu_type, acceleratorCount: gpu_num }] : undefined
  if (gpus === 'attached' || gpus === 'unknown') {
    const accelerators = gpus === 'attached' && asked ? asked : base.guestAccelerators
    return { accelerators, present: Boolean(accelerators?.length), problems: [] }
  }
  if (gpus === 'built_in') {
    const problems = base.guestAccelerators
      ? [replaced('guestAccelerators', `${type} brings its own GPUs`)]
      : []
    return { accelerators: undefined, present: true, problems }
  }
  const allowed = config.cpu_slots_allowed ? 1 : 0
  const problems = offering.slots > allowed ? [noGpus(type, offering.slots)] : []
  return { accelerators: undefined, present: false, problems }
}

function noGpus(type: string, slots: number): Problem {
  return problem('REQUEST_MACHINE_REFUSED', `${type} takes no GPUs, but the pool counts on ${slots} slots`, {
    remedy: 'Set gpu_num: 0, or choose an N1 machine type (GPUs are attached) or one of an A or G family.',
  })
}

function replaced(what: string, why: string): Problem {
  return problem('REQUEST_BASE_CONFIG_REPLACED', `${what} of base_config is not used: ${why}`)
}
