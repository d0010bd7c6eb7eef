// What `provision agent --help` prints: the options live with the agent, of which the command line knows nothing.
import { flagOf, type OptionKind, settableNames, settableOptions, variableOf } from './option-names.ts'

const values: Record<OptionKind, string> = { text: ' <text>', number: ' <n>', flag: '[=true|false]' }

/** A line for each option, with a final newline. */
export function agentHelp(): string {
  const rows = settableNames.map((name) => [
    `${flagOf(name)}${values[settableOptions[name]]}`,
    variableOf(name),
  ])
  const width = Math.max(...rows.map(([flag]) => flag!.length))
  return [
    'Usage: provision agent [run] [flags]',
    '',
    "Runs the built-in agent. Flags, variables and the keys of --config-file are the real agent's.",
    '',
    ...rows.map(([flag, variable]) => `  ${flag!.padEnd(width)}  ${variable}`),
    '',
  ].join('\n')
}
