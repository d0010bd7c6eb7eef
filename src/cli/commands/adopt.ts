// `provision adopt`: the VMs that another provisioner launched in a pool become those of this one.
import { adoptPool, poolStatus } from '../../http/fleet-client.ts'
import type { CommandContext } from '../command.ts'
import { confirm } from '../confirm.ts'
import type { ConnectOptions } from '../connect.ts'
import { connectFleet } from '../connect-fleet.ts'
import type { ExitStatus } from '../exit.ts'
import { pickPool } from '../pick-pools.ts'

interface Options extends ConnectOptions {
  yes?: boolean
  format: 'text' | 'json'
}

export async function run(
  options: Options,
  context: CommandContext,
  [named]: (string | undefined)[],
): Promise<ExitStatus> {
  const { terminal } = context
  const { yes, format } = options
  const client = connectFleet(options, context)
  const pool = await pickPool(client, named)
  const { foreignWriters } = await poolStatus(client, pool)
  if (foreignWriters.length > 0) {
    const others = foreignWriters.map((writer) => writer || 'one without a name').join(', ')
    const question = `Take over the VMs that provisioner ${others} launched in pool ${pool}? It must not run any more.`
    if (!(await confirm(question, yes, terminal))) return 1
  }
  const writers = await adoptPool(client, pool)
  if (format === 'json') terminal.out(`${JSON.stringify({ pool, writers }, undefined, 2)}\n`)
  else if (writers.length === 0) terminal.say(`pool ${pool} has no VMs of another provisioner`)
  else terminal.say(`the VMs of pool ${pool} are this provisioner's now`)
  return 0
}
