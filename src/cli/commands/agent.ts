// `provision agent`: the built-in agent, as a VM's startup script starts it.
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'
import { version } from '../version.ts'

export async function run(
  _options: object,
  { terminal, env }: CommandContext,
  argv: string[],
): Promise<ExitStatus> {
  if (argv.some((word) => word === '--help' || word === '-h')) {
    const { agentHelp } = await import('../../standalone/agent/process.ts')
    terminal.out(agentHelp())
    return 0
  }
  const { runAgentProcess } = await import('../../standalone/agent/process.ts')
  // The real agent's command line begins with `run`.
  const flags = argv[0] === 'run' ? argv.slice(1) : argv
  return runAgentProcess({ argv: flags, env, version, write: terminal.write })
}
