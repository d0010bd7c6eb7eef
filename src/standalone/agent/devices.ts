// Detects the devices of this machine, in the same order as the Determined agent (Determined: agent/internal/detect).

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { availableParallelism, cpus } from 'node:os'
import type { Logger } from '../../platform/index.ts'
import { ProvisionError, problem } from '../../problems/index.ts'
import type { Device } from '../protocol/container.ts'
import type { AgentOptions } from './options.ts'

export type DetectOptions = Pick<AgentOptions, 'agentId' | 'slotType' | 'visibleGpus' | 'artificialSlots'>

/** Returns the same list at every call while the machine is unchanged: masters compare it. */
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
    uuid: uuidFrom(`${agentId}/${id}`),
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

/** Version 8 of RFC 9562: custom bits, here a hash. */
function uuidFrom(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

// NVIDIA GPUs, or their MIG instances, as nvidia-smi lists them.

const nvidiaSmi = 'nvidia-smi'

/** Such as `  MIG 1g.5gb  Device  0: (UUID: MIG-c6d4f1ef-…)`, a line of `nvidia-smi -L`. */
const migLine = /(MIG \S+).+\(UUID.+(MIG.+)\)/

/** Without nvidia-smi, or if it fails, returns no GPUs, so that the agent can still run CPU jobs. */
export async function nvidiaDevices(visible: string, env: Environment, logger: Logger): Promise<Device[]> {
  const instances = await migInstances(env, logger)
  return instances.length > 0 ? instances : wholeGpus(visible, env, logger)
}

async function migInstances(env: Environment, logger: Logger): Promise<Device[]> {
  const mode = await ask(['--query-gpu=mig.mode.current', '--format=csv,noheader'], env, logger)
  if (!mode?.startsWith('Enabled')) return []
  const list = (await ask(['-L'], env, logger)) ?? ''
  return list
    .split('\n')
    .flatMap((line) => {
      const [, brand, uuid] = migLine.exec(line) ?? []
      return brand && uuid ? [{ brand, uuid }] : []
    })
    .map((device, id) => ({ id, ...device, type: 'cuda' }))
}

async function wholeGpus(visible: string, env: Environment, logger: Logger): Promise<Device[]> {
  const query = ['--query-gpu=index,name,uuid', '--format=csv,noheader']
  const text = await ask(visible ? [...query, `--id=${visible}`] : query, env, logger)
  const isAllocated = allocated(env, 'CUDA_VISIBLE_DEVICES')
  const lines = (text ?? '').split('\n').filter((line) => line.trim() !== '')
  return lines.map(readLine).filter((device) => isAllocated(device.id, device.uuid))
}

/** `0, Tesla T4, GPU-3c9f…` */
function readLine(line: string): Device {
  const fields = line.split(',').map((field) => field.trim())
  const [index = '', brand = '', uuid = ''] = fields
  if (fields.length === 3 && /^\d+$/.test(index)) return { id: Number(index), brand, uuid, type: 'cuda' }
  const message = `unexpected nvidia-smi output for a GPU: ${JSON.stringify(line.slice(0, 200))}; expected index, name and UUID`
  throw new ProvisionError(problem('AGENT_DEVICES_UNREADABLE', message))
}

async function ask(args: string[], env: Environment, logger: Logger): Promise<string | undefined> {
  const answer = await askTool(nvidiaSmi, args, env)
  if (answer.kind === 'failed')
    logger.warn('nvidia-smi failed', { args: args.join(' '), reason: answer.reason })
  return answer.kind === 'answered' ? answer.text : undefined
}

// AMD GPUs, as rocm-smi lists them.

const rocmSmi = 'rocm-smi'

/** Without rocm-smi, or if it fails or prints something else, returns no GPUs. */
export async function rocmDevices(visible: string, env: Environment, logger: Logger): Promise<Device[]> {
  const only = visible ? ['-d', ...visible.split(',')] : []
  const names = ['--showuniqueid', '--showproductname', '--showbus', '--json', ...only]
  let answer = await askTool(rocmSmi, names, env)
  // --showproductname fails for cards without a product name; only its vendor field is needed.
  if (answer.kind === 'failed')
    answer = await askTool(
      rocmSmi,
      names.filter((name) => name !== '--showproductname'),
      env,
    )
  if (answer.kind === 'missing') return []
  if (answer.kind === 'failed') {
    logger.warn('rocm-smi failed', { reason: answer.reason })
    return []
  }
  const devices = readCards(answer.text)
  if (!devices)
    logger.warn('rocm-smi returned no list of cards', {
      text: answer.text.slice(0, 200),
    })
  const isAllocated = allocated(env, 'ROCR_VISIBLE_DEVICES')
  return (devices ?? []).filter((device) => isAllocated(device.id, device.uuid))
}

/** `{"card0": {"Unique ID": "0x2b1f…", "Card vendor": "…"}}` */
function readCards(json: string): Device[] | undefined {
  try {
    const cards = JSON.parse(json) as Record<string, Record<string, unknown>>
    const devices = Object.entries(cards).map(([name, card]): Device => {
      if (!/^card\d+$/.test(name)) throw new TypeError(name)
      return {
        id: Number(name.slice('card'.length)),
        brand: String(card['Card vendor'] ?? ''),
        uuid: String(card['Unique ID'] ?? ''),
        type: 'rocm',
      }
    })
    return devices.sort((a, b) => a.id - b.id)
  } catch {
    return undefined
  }
}

// Runs a vendor's tool that lists accelerators.

export type Environment = Readonly<Record<string, string | undefined>>

export type ToolAnswer =
  | { kind: 'answered'; text: string }
  | { kind: 'missing' }
  | { kind: 'failed'; reason: string }

/** Milliseconds. Without a timeout, a hanging driver would prevent the agent from joining. */
const timeoutMs = 60_000

/** `command` is looked up on the PATH of `env`. */
export function askTool(command: string, args: string[], env: Environment): Promise<ToolAnswer> {
  return new Promise((resolve) => {
    const bounds = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 16 * 1024 * 1024 } as const
    execFile(command, args, { env, ...bounds }, (error, text, errorOutput) => {
      if (!error) resolve({ kind: 'answered', text })
      else if (error.code === 'ENOENT') resolve({ kind: 'missing' })
      else resolve({ kind: 'failed', reason: (errorOutput || text || error.message).trim().slice(0, 500) })
    })
  })
}

// Accelerators that a batch system (Slurm, PBS) assigned to this process.

/** CUDA_VISIBLE_DEVICES and similar variables name devices by index or by UUID; undefined: all of them. */
export function allocated(env: Environment, variable: string): (index: number, uuid: string) => boolean {
  const list = env[variable]?.split(',').map((entry) => entry.trim())
  return (index, uuid) => list === undefined || list.includes(String(index)) || list.includes(uuid)
}
