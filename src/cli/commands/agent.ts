// `provision agent`: the built-in agent, started by a VM's startup script.
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'

export async function run(options: { configFile?: string }, { env }: CommandContext): Promise<ExitStatus> {
  const { runAgentProcess } = await import('../../app/agent-process.ts')
  return (await runAgentProcess({ env, configFile: options.configFile })) as ExitStatus
}
