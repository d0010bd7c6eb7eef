// From a file, or its text, to the configuration: every problem at once, and a configuration only without errors.
import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isError, type Problem, problem } from '../problems/problem.ts'
import { overridesOf } from './environment.ts'
import { readMaster } from './master.ts'
import type { MasterConfig } from './master-config.ts'
import { isAbsent, isMapping, type Reading } from './reading.ts'
import { readYaml } from './yaml.ts'

export interface LoadOptions {
  readFile?: (path: string) => Uint8Array
  /** DET_PORT, DET_SECURITY_TLS_CERT and DET_SECURITY_TLS_KEY win over the file; nothing else is read. */
  env?: Record<string, string | undefined>
}

export interface Loaded {
  /** undefined when there is an error. */
  config?: MasterConfig
  /** In the order of the file. */
  problems: Problem[]
}

/** Never throws for what is in the file or wrong with it. Relative paths in it start from its folder. */
export function loadConfig(file: string, options: LoadOptions = {}): Loaded {
  const { readFile = readFileSync } = options
  let bytes: Uint8Array
  try {
    bytes = readFile(file)
  } catch (error) {
    return { problems: [unreadable(file, error)] }
  }
  if (!isUtf8(bytes))
    return { problems: [problem('CONFIG_FILE_NOT_TEXT', 'The file is not UTF-8 text', { where: { file } })] }
  return parseConfig(Buffer.from(bytes).toString('utf8'), file, options)
}

/** The same for a text already read; `file` names it in problems and gives the folder of relative paths. */
export function parseConfig(text: string, file: string, { env = {} }: LoadOptions = {}): Loaded {
  const yaml = readYaml(text, file)
  const overrides = overridesOf(env)
  const reading: Reading = {
    yaml,
    problems: [...yaml.problems, ...overrides.problems],
    folder: dirname(resolve(file)),
  }
  if (isMapping(yaml.value)) {
    const config = readMaster({ reading, path: [], raw: yaml.value }, file, overrides)
    const problems = inOrder(reading.problems)
    // No error was noted, so nothing was left out.
    return problems.some(isError) ? { problems } : { config: config as MasterConfig, problems }
  }
  if (isAbsent(yaml.value) && !yaml.problems.some(isError))
    reading.problems.push(problem('CONFIG_FILE_EMPTY', 'The file holds no keys', { where: { file } }))
  else if (!isAbsent(yaml.value))
    reading.problems.push(
      problem(
        'CONFIG_NOT_A_MAPPING',
        `The file must hold keys, but is ${Array.isArray(yaml.value) ? 'a list' : 'a single value'}`,
        {
          where: { ...yaml.locate([]), line: 1, column: 1 },
        },
      ),
    )
  return { problems: inOrder(reading.problems) }
}

function unreadable(file: string, error: unknown): Problem {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const at = { where: { file }, cause: error }
  if (code === 'ENOENT') return problem('CONFIG_FILE_MISSING', 'There is no such file', at)
  if (code === 'EISDIR') return problem('CONFIG_FILE_IS_DIRECTORY', 'This is a directory, not a file', at)
  const reason = code || (error instanceof Error ? error.message : String(error))
  return problem('CONFIG_FILE_UNREADABLE', `The file cannot be read (${reason})`, at)
}

function inOrder(problems: Problem[]): Problem[] {
  const line = ({ where }: Problem) => where?.line ?? 0
  const column = ({ where }: Problem) => where?.column ?? 0
  return problems.sort((a, b) => line(a) - line(b) || column(a) - column(b))
}
