// `provision agents`: the agents the master shows, with their slots and their work.
import { listAgents } from '../../http/fleet-client.ts'
import type { CommandContext } from '../command.ts'
import type { ConnectOptions } from '../connect.ts'
import { connectFleet } from '../connect-fleet.ts'
import type { ExitStatus } from '../exit.ts'
import { agentLines } from '../fleet-text.ts'
import { onePool, showPicture, type ViewOptions } from '../show-picture.ts'

export async function run(
  options: ConnectOptions & ViewOptions,
  context: CommandContext,
): Promise<ExitStatus> {
  const client = connectFleet(options, context)
  return showPicture(options, context, async () => {
    const agents = await listAgents(client, onePool(options))
    return { lines: agentLines(agents, Date.now()), value: { agents } }
  })
}
