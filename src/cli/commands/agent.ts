// `provision agent`: the built-in agent, started by a VM's startup script. It reads its own arguments.
import type { CommandContext } from '../command.ts'
import type { ExitStatus } from '../exit.ts'
import { sayProblems } from '../terminal.ts'
import { version } from '../version.ts'

export async function run(
  _: unknown,
  { env, terminal }: CommandContext,
  argv: string[],
): Promise<ExitStatus> {
  const { runAgentProcess } = await import('../../app/agent-process.ts')
  const tell = (problems: Parameters<typeof sayProblems>[1]) => sayProblems(terminal, problems)
  return runAgentProcess({ argv, env, version, write: terminal.write, tell })
}
