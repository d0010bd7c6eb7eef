// `provision status`: the pools of a running provisioner, and what keeps them from doing more.
import { fleetStatus } from '../../http/fleet-client.ts'
import type { CommandContext } from '../command.ts'
import type { ConnectOptions } from '../connect.ts'
import { connectFleet } from '../connect-fleet.ts'
import type { ExitStatus } from '../exit.ts'
import { showPicture, type ViewOptions } from '../show-picture.ts'
import { statusLines } from '../status-text.ts'

export async function run(
  options: ConnectOptions & ViewOptions,
  context: CommandContext,
): Promise<ExitStatus> {
  const client = connectFleet(options, context)
  return showPicture(options, context, async () => {
    const status = await fleetStatus(client)
    return { lines: statusLines(status), value: status }
  })
}
