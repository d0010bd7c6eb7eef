// The last stage a VM's script wrote to its serial console.
import { lastStage, type Stage } from '../../agent-setup/stages.ts'
import type { Ec2Api } from './ec2-api.ts'
import { codeOf } from './errors.ts'

/** `Latest` is what is on the console now, which only Nitro instances can tell; others show it some minutes late. */
export async function consoleStage(
  api: Ec2Api,
  id: string,
  signal?: AbortSignal,
): Promise<Stage | undefined> {
  try {
    return await read(api, id, true, signal)
  } catch (error) {
    switch (codeOf(error)) {
      case 'UnsupportedOperation':
        return read(api, id, false, signal)
      case 'InvalidInstanceID.NotFound':
      case 'InvalidInstanceID.Malformed':
        return undefined
      default:
        throw error
    }
  }
}

async function read(api: Ec2Api, InstanceId: string, Latest: boolean, signal?: AbortSignal) {
  const { Output = '' } = await api.getConsoleOutput({ InstanceId, Latest }, signal)
  return lastStage(Buffer.from(Output, 'base64').toString('utf8'))
}
