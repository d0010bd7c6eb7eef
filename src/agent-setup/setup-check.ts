// What is wrong with a setup whatever template it is rendered by.

import { type Problem, problem } from '../problems/problem.ts'
import type { AgentSetup } from './setup.ts'
import { textsOf } from './setup-texts.ts'
import { isShellSafe } from './shell.ts'

export function setupProblems(setup: AgentSetup): Problem[] {
  const problems = textsOf(setup)
    .filter(({ text }) => !isShellSafe(text))
    .map(({ key }) =>
      problem('USER_DATA_TEXT', `${key} holds a NUL character or half of a surrogate pair`, {
        details: { key },
      }),
    )
  if (setup.runtime === 'process' && !setup.command[0])
    problems.push(problem('AGENT_COMMAND_MISSING', 'agent_runtime is process, but the agent has no command'))
  if (setup.runtime === 'process' && setup.containerStartupScript.trim() !== '')
    problems.push(
      problem('CONTAINER_SCRIPT_UNUSED', 'container_startup_script is not run with agent_runtime: process'),
    )
  return problems
}
