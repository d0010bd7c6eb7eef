// `provision terminate`: ends VMs now; those with work only by force.
import { terminateVms } from '../../http/fleet-client.ts'
import type { CommandContext } from '../command.ts'
import { confirm } from '../confirm.ts'
import type { ConnectOptions } from '../connect.ts'
import { connectFleet } from '../connect-fleet.ts'
import type { ExitStatus } from '../exit.ts'
import { sayRemoved, theseVms } from '../removed-text.ts'

interface Options extends ConnectOptions {
  force?: boolean
  yes?: boolean
  format: 'text' | 'json'
}

export async function run(options: Options, context: CommandContext, given: string[]): Promise<ExitStatus> {
  const { terminal } = context
  const { force = false, yes, format } = options
  const ids = [...new Set(given)]
  const loss = force ? ' Work on it is lost.' : ''
  if (!(await confirm(`End ${theseVms(ids)}?${loss}`, yes, terminal))) return 1
  const removed = await terminateVms(connectFleet(options, context), ids, force)
  sayRemoved(removed, force ? 'is ended' : 'is drained and ended', format, terminal)
  return 0
}
