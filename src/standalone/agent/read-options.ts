// Puts the agent's options together: a flag beats a variable beats agent.yaml beats the default.
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { checkAgentOptions } from '../../agent-setup/agent-options.ts'
import { readYaml } from '../../config/yaml.ts'
import { isError, type Problem, problem } from '../../problems/problem.ts'
import { fromEnvironment, fromFlags, type GivenOptions } from './given-options.ts'
import type { AgentOptions } from './options.ts'
import { toOptions } from './to-options.ts'

type Block = Record<string, unknown>

export interface OptionSources {
  /** Arguments after the command's name. */
  argv: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  /** Read when it is there and no other file is named. */
  defaultFile?: string
}

const usualFile = '/etc/determined/agent.yaml'

/** Every problem at once; `options` only when none of them is an error. */
export function readAgentOptions({ argv, env, defaultFile = usualFile }: OptionSources): {
  options?: AgentOptions
  problems: Problem[]
} {
  const problems: Problem[] = []
  const flags = fromFlags(argv, problems)
  const variables = fromEnvironment(env, problems)
  const named = flags.config_file ?? variables.config_file
  const file = readFile(String(named ?? defaultFile), named !== undefined, problems)
  if (problems.some(isError)) return { problems }
  const merged = [file, nested(variables), nested(flags)].reduce(merge, {})
  // The file passed by itself: what is wrong now comes from a flag, a variable, or from both together.
  for (const { message, remedy } of checkAgentOptions(merged))
    problems.push(problem('AGENT_OPTION_INVALID', message, { remedy }))
  if (problems.some(isError)) return { problems }
  return toOptions(merged, env, hostname(), problems)
}

function readFile(path: string, named: boolean, problems: Problem[]): Block {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    // Nobody has to have the default file.
    if (!named && (cause as NodeJS.ErrnoException).code === 'ENOENT') return {}
    const why = (cause as Error).message
    problems.push(
      problem('AGENT_FILE_UNREADABLE', `the agent's configuration cannot be read: ${why}`, { cause }),
    )
    return {}
  }
  const yaml = readYaml(text, path)
  problems.push(...yaml.problems)
  if (yaml.value === undefined || yaml.value === null) return {}
  if (typeof yaml.value !== 'object' || Array.isArray(yaml.value)) {
    problems.push(
      problem('AGENT_FILE_UNREADABLE', `${path} holds no block of options`, { where: { file: path } }),
    )
    return {}
  }
  for (const { path: at, message, remedy } of checkAgentOptions(yaml.value as Block))
    problems.push(
      problem('AGENT_OPTION_INVALID', message, { remedy, where: yaml.locate(at.split('.'), 'key') }),
    )
  return yaml.value as Block
}

/** `security.tls.enabled` becomes a block in a block. */
function nested(given: GivenOptions): Block {
  const blocks = Object.entries(given).map(([name, value]) =>
    name.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value),
  )
  return (blocks as Block[]).reduce(merge, {})
}

/** An empty key (`hooks:` and nothing) is no setting, and hides none. */
function merge(under: Block, over: Block): Block {
  const merged = { ...under }
  for (const [key, value] of Object.entries(over)) {
    if (value === null || value === undefined) continue
    merged[key] = isBlock(value) && isBlock(merged[key]) ? merge(merged[key], value) : value
  }
  return merged
}

function isBlock(value: unknown): value is Block {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
