// VMs and agents for people, a row each.
import type { AgentView, InstanceView } from '../http/client-views.ts'
import { age } from './age.ts'
import { table } from './table.ts'

const instanceHead = [
  'POOL',
  'INSTANCE',
  'STATE',
  'AGENT',
  'SLOTS',
  'TYPE',
  'ZONE',
  'CAPACITY',
  'AGE',
  'NOTE',
]
const agentHead = ['POOL', 'AGENT', 'STATE', 'FREE SLOTS', 'WORK', 'TLS', 'CERTIFICATE NAME', 'NOTE']

/** @param now milliseconds since the epoch */
export function instanceLines(instances: InstanceView[], now: number): string[] {
  if (instances.length === 0) return ['no instances']
  return table(
    instanceHead,
    instances.map((vm) => [
      vm.pool,
      vm.id,
      vm.state,
      // Whether it joined once does not matter any more.
      vm.doing === 'ending' ? '-' : vm.agent,
      vm.slots === undefined ? '-' : String(vm.slots),
      vm.instanceType,
      vm.zone || '-',
      vm.capacityType.replace('_', '-'),
      age(now - vm.launchedAt),
      [vm.doing && doings[vm.doing], vm.stateReason].filter(Boolean).join('; '),
    ]),
  )
}

const doings = {
  ending: 'being ended',
  draining: 'drained, ended when idle',
  ordered: 'to be removed',
} as const

/** @param now milliseconds since the epoch */
export function agentLines(agents: AgentView[], now: number): string[] {
  if (agents.length === 0) return ['no agents']
  return table(
    agentHead,
    agents.map((agent) => [
      agent.pool,
      agent.id,
      agent.state,
      `${agent.freeSlots} of ${agent.slots}`,
      agent.busy ? 'busy' : idle(agent, now),
      agent.tlsVersion ?? '-',
      agent.certificateName ?? '-',
      noteOf(agent),
    ]),
  )
}

function idle({ idleSince }: AgentView, now: number): string {
  return idleSince === undefined ? 'idle' : `idle ${age(now - idleSince)}`
}

function noteOf({ draining, enabled, ours }: AgentView): string {
  const service = draining ? 'draining' : enabled ? '' : 'disabled'
  return [service, ours ? '' : 'not on a VM of this provisioner'].filter(Boolean).join('; ')
}
