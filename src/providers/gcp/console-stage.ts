// The last stage a VM's script wrote to its serial console.
import { lastStage, type Stage } from '../../agent-setup/stages.ts'
import type { GceApi } from './gce-api.ts'
import { isNotFound } from './gce-failure.ts'

/** Negative: so many of the newest bytes; the last stage is among them. */
const start = '-65536'

export async function consoleStage(
  api: GceApi,
  place: { project: string; zone: string; instance: string },
  signal?: AbortSignal,
): Promise<Stage | undefined> {
  try {
    const { contents = '' } = await api.getSerialPortOutput({ ...place, port: 1, start }, signal)
    return lastStage(contents)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
