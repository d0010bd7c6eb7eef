// Which accelerators a batch system (Slurm, PBS) has given to this process.
import type { Environment } from './tool.ts'

/** CUDA_VISIBLE_DEVICES and its kin name devices by index or by UUID; undefined: all of them. */
export function allocated(env: Environment, variable: string): (index: number, uuid: string) => boolean {
  const list = env[variable]?.split(',').map((entry) => entry.trim())
  return (index, uuid) => list === undefined || list.includes(String(index)) || list.includes(uuid)
}
