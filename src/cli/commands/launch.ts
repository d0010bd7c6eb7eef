// `provision launch`: VMs beside those that work calls for.
import { launchVms } from '../../http/fleet-client.ts'
import { ProvisionError, problem } from '../../problems/problem.ts'
import type { CommandContext } from '../command.ts'
import type { ConnectOptions } from '../connect.ts'
import { connectFleet } from '../connect-fleet.ts'
import type { ExitStatus } from '../exit.ts'
import { pickPool } from '../pick-pools.ts'
import { onePool } from '../show-picture.ts'

interface Options extends ConnectOptions {
  pool?: string | string[]
  format: 'text' | 'json'
}

export async function run(
  options: Options,
  context: CommandContext,
  [text = '1']: (string | undefined)[],
): Promise<ExitStatus> {
  const { terminal } = context
  const count = countOf(text)
  const client = connectFleet(options, context)
  const pool = await pickPool(client, onePool(options))
  const intent = await launchVms(client, pool, count)
  if (options.format === 'json') terminal.out(`${JSON.stringify({ pool, count, intent }, undefined, 2)}\n`)
  else {
    terminal.say(`Launching ${count === 1 ? 'a VM' : `${count} VMs`} in pool ${pool}.`)
    terminal.say('See `provision instances --watch`. Idle for too long, they are removed like any other.')
  }
  return 0
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text)
  const message = `the number of VMs must be a whole number from 1, not ${JSON.stringify(text)}`
  throw new ProvisionError(problem('USAGE', message, { remedy: 'Such as `provision launch 2 --pool gpu`.' }))
}
