// `provision drain`: VMs that get no more work, and are ended when they have none.
import { drainVms, undrainVms } from '../../http/fleet-client.ts'
import type { CommandContext } from '../command.ts'
import { confirm } from '../confirm.ts'
import type { ConnectOptions } from '../connect.ts'
import { connectFleet } from '../connect-fleet.ts'
import type { ExitStatus } from '../exit.ts'
import { sayRemoved, theseVms } from '../removed-text.ts'

interface Options extends ConnectOptions {
  undo?: boolean
  yes?: boolean
  format: 'text' | 'json'
}

export async function run(options: Options, context: CommandContext, given: string[]): Promise<ExitStatus> {
  const { terminal } = context
  const ids = [...new Set(given)]
  if (options.undo) return undo(ids, options, context)
  const question = `Give ${theseVms(ids)} no more work, and end ${ids.length === 1 ? 'it' : 'them'} when idle?`
  if (!(await confirm(question, options.yes, terminal))) return 1
  const removed = await drainVms(connectFleet(options, context), ids)
  sayRemoved(removed, 'will be ended when idle', options.format, terminal)
  return 0
}

async function undo(ids: string[], options: Options, context: CommandContext): Promise<ExitStatus> {
  const { terminal } = context
  const kept = await undrainVms(connectFleet(options, context), ids)
  sayRemoved(kept, 'stays', options.format, terminal)
  const others = ids.filter((id) => !kept.ids.includes(id))
  if (others.length === 0) return 0
  terminal.say(`nothing to take back: ${theseVms(others)} (no order to drain, or ended already)`)
  return 1
}
