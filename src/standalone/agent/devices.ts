// What this machine has to offer, in the order the real agent looks for it (origin: agent/internal/detect).
import { createHash } from 'node:crypto'
import { availableParallelism, cpus } from 'node:os'
import type { Logger } from '../../platform/ports.ts'
import type { Device } from '../protocol/device.ts'
import { nvidiaDevices } from './nvidia.ts'
import type { AgentOptions } from './options.ts'
import { rocmDevices } from './rocm.ts'
import type { Environment } from './tool.ts'

export type DetectOptions = Pick<AgentOptions, 'agentId' | 'slotType' | 'visibleGpus' | 'artificialSlots'>

/** The same agent gives the same list at every call as long as the machine is the same: masters compare it. */
export async function detectDevices(
  options: DetectOptions,
  env: Environment,
  logger: Logger,
): Promise<Device[]> {
  const { agentId, artificialSlots, slotType, visibleGpus } = options
  if (artificialSlots > 0) return artificialDevices(artificialSlots, agentId)
  const nvidia = () => nvidiaDevices(visibleGpus, env, logger)
  const rocm = () => rocmDevices(visibleGpus, env, logger)
  switch (slotType) {
    case 'none':
      return []
    case 'gpu':
    case 'cuda':
      return nvidia()
    case 'rocm':
      return rocm()
    case 'cpu':
      return cpuDevices()
    case 'auto':
      return firstOf([nvidia, rocm, async () => cpuDevices()])
  }
}

async function firstOf(kinds: (() => Promise<Device[]>)[]): Promise<Device[]> {
  for (const kind of kinds) {
    const devices = await kind()
    if (devices.length > 0) return devices
  }
  return []
}

function artificialDevices(count: number, agentId: string): Device[] {
  return Array.from({ length: count }, (_, id) => ({
    id,
    brand: 'Artificial',
    uuid: madeUpUuid(`${agentId}/${id}`),
    type: 'cpu',
  }))
}

/** All cores are one device, and so one slot. */
function cpuDevices(): Device[] {
  const counts = new Map<string, number>()
  for (const { model } of cpus()) counts.set(model, (counts.get(model) ?? 0) + 1)
  const brand = [...counts].map(([model, cores]) => `${model.trim()} x ${cores} cores`).join(', ')
  return [
    { id: 0, brand: (brand || `${availableParallelism()} cores`).slice(0, 256), uuid: 'cpu', type: 'cpu' },
  ]
}

/** Version 8 of RFC 9562: the bits are the maker's own, here a hash. */
function madeUpUuid(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
