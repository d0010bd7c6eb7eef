// `provision resume`: a pool that was paused goes on.
import { resumePool } from '../../http/fleet-client.ts'
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
    await resumePool(client, pool)
    if (options.format === 'text') terminal.say(`pool ${pool} goes on`)
  }
  if (options.format === 'json') terminal.out(`${JSON.stringify({ pools }, undefined, 2)}\n`)
  return 0
}
