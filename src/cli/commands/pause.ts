// `provision pause`: nothing is launched or ended in a pool until it is resumed, also after a restart.
import { pausePool } from '../../http/fleet-client.ts'
import type { CommandContext } from '../command.ts'
import type { ConnectOptions } from '../connect.ts'
import { connectFleet } from '../connect-fleet.ts'
import type { ExitStatus } from '../exit.ts'
import { pickPools } from '../pick-pools.ts'

interface Options extends ConnectOptions {
  all?: boolean
  format: 'text' | 'json'
}

export async function run(options: Options, context: CommandContext, named: string[]): Promise<ExitStatus> {
  const { terminal } = context
  const client = connectFleet(options, context)
  const pools = await pickPools(client, named, options.all)
  for (const pool of pools) {
    await pausePool(client, pool)
    if (options.format === 'text')
      terminal.say(`pool ${pool} is paused: nothing is launched or ended until \`provision resume\``)
  }
  if (options.format === 'json') terminal.out(`${JSON.stringify({ pools }, undefined, 2)}\n`)
  return 0
}
