// NVIDIA GPUs, or the MIG instances they are cut into, as nvidia-smi lists them.
import type { Logger } from '../../platform/ports.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import type { Device } from '../protocol/device.ts'
import { allocated } from './allocated.ts'
import { askTool, type Environment } from './tool.ts'

const nvidiaSmi = 'nvidia-smi'

/** Such as `  MIG 1g.5gb  Device  0: (UUID: MIG-c6d4f1ef-…)`, a line of `nvidia-smi -L`. */
const migLine = /(MIG \S+).+\(UUID.+(MIG.+)\)/

/** A machine without nvidia-smi, or with one that fails, has no GPUs: an agent for CPU work is better than none. */
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
  const mine = allocated(env, 'CUDA_VISIBLE_DEVICES')
  const lines = (text ?? '').split('\n').filter((line) => line.trim() !== '')
  return lines.map(readLine).filter((device) => mine(device.id, device.uuid))
}

/** `0, Tesla T4, GPU-3c9f…` */
function readLine(line: string): Device {
  const fields = line.split(',').map((field) => field.trim())
  const [index = '', brand = '', uuid = ''] = fields
  if (fields.length === 3 && /^\d+$/.test(index)) return { id: Number(index), brand, uuid, type: 'cuda' }
  const message = `nvidia-smi listed a GPU as ${JSON.stringify(line.slice(0, 200))}, not as index, name and UUID`
  throw new ProvisionError(problem('AGENT_DEVICES_UNREADABLE', message))
}

async function ask(args: string[], env: Environment, logger: Logger): Promise<string | undefined> {
  const answer = await askTool(nvidiaSmi, args, env)
  if (answer.kind === 'failed')
    logger.warn('nvidia-smi failed', { args: args.join(' '), reason: answer.reason })
  return answer.kind === 'answered' ? answer.text : undefined
}
