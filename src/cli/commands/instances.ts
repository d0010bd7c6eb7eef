// `provision instances`: the VMs, what they are and what is done about them.
import { listInstances } from '../../http/fleet-client.ts'
import type { CommandContext } from '../command.ts'
import type { ConnectOptions } from '../connect.ts'
import { connectFleet } from '../connect-fleet.ts'
import type { ExitStatus } from '../exit.ts'
import { instanceLines } from '../fleet-text.ts'
import { onePool, showPicture, type ViewOptions } from '../show-picture.ts'

export async function run(
  options: ConnectOptions & ViewOptions,
  context: CommandContext,
): Promise<ExitStatus> {
  const client = connectFleet(options, context)
  return showPicture(options, context, async () => {
    const instances = await listInstances(client, onePool(options))
    return { lines: instanceLines(instances, Date.now()), value: { instances } }
  })
}
