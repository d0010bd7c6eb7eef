// `provision drain`: VMs that get no more work, and are ended when they have none.
import { drainVms } from '../../client/fleet.ts'
import type { CommandContext } from '../command.ts'
import { confirm } from '../confirm.ts'
import type { ConnectOptions } from '../connect.ts'
import { connectFleet } from '../connect-fleet.ts'
import type { ExitStatus } from '../exit.ts'
import { sayRemoved, theseVms } from '../removed-text.ts'

interface Options extends ConnectOptions {
  yes?: boolean
  format: 'text' | 'json'
}

export async function run(options: Options, context: CommandContext, given: string[]): Promise<ExitStatus> {
  const { terminal } = context
  const ids = [...new Set(given)]
  const question = `Give ${theseVms(ids)} no more work, and end ${ids.length === 1 ? 'it' : 'them'} when idle?`
  if (!(await confirm(question, options.yes, terminal))) return 1
  const removed = await drainVms(connectFleet(options, context), ids)
  sayRemoved(removed, 'will be ended when idle', options.format, terminal)
  return 0
}
