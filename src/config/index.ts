// From master.yaml to the configuration: reading, rules, defaults, the place of each problem, the reference page.
// Knows no provider: their definitions are passed in. Imports problems, platform and pki.
// Start here: loadConfig() reads the file, provider.ts one block by its definition.
import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { isError, type Problem, problem } from '../problems/index.ts'
import { overridesOf, readMaster } from './master.ts'
import type { MasterConfig } from './master-config.ts'
import type { ProviderBlock } from './provider.ts'
import { isAbsent, isMapping, type Reading } from './read-block.ts'
import { defaultStateDir } from './schema.ts'
import { readYaml } from './yaml.ts'

export {
  block,
  choice,
  count,
  flag,
  key,
  keyOr,
  kinds,
  list,
  name,
  names,
  needed,
  oldKey,
  period,
  shaped,
  text,
} from './fields.ts'
export { isBareMetal, type TypeWithSlots, typesOf } from './instance-types.ts'
export type { JsonSchema } from './json-schema.ts'
export { masterAddressOf } from './master-address.ts'
export type { DemandConfig, ListenConfig, MasterConfig, PoolConfig, TlsFiles } from './master-config.ts'
export { type ProviderBlock, providerBlock, providerSchema } from './provider.ts'
export {
  type AgentRuntime,
  type CommonProviderConfig,
  checkDuplicates,
  commonRules,
  defaultAgentImage,
  givenIn,
  instanceTypes,
  type ProviderConfig,
  spotKey,
  type TlsOptions,
} from './provider-keys.ts'
export { type Block, given, inner, isMapping, note, orList, type Partially, sure } from './read-block.ts'
export { configSchema } from './reference.ts'
export { codeFrame, reportProblem, shown } from './report.ts'
export { clusterIdPattern, demandTypes } from './schema.ts'
export { type StandardSchema, standardProviderBlock } from './standard-block.ts'
export * as z from './words.ts'
export { readYaml, type YamlPath } from './yaml.ts'

export interface LoadOptions {
  /** Every kind of provider a pool may have. */
  providers: readonly ProviderBlock[]
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
export function loadConfig(file: string, options: LoadOptions): Loaded {
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
export function parseConfig(text: string, file: string, { env = {}, providers }: LoadOptions): Loaded {
  const yaml = readYaml(text, file)
  const overrides = overridesOf(env)
  const reading: Reading = {
    yaml,
    problems: [...yaml.problems, ...overrides.problems],
    folder: dirname(resolve(file)),
  }
  if (isMapping(yaml.value)) {
    const config = readMaster({ reading, path: [], raw: yaml.value }, file, overrides, providers)
    return { ...(config && { config }), problems: inOrder(reading.problems) }
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

/**
 * Where the state folder of a file is that may be broken elsewhere; undefined when that cannot be read from it. For those
 * who want nothing else of it.
 */
export function stateDirOf(
  file: string,
  { readFile = readFileSync }: Pick<LoadOptions, 'readFile'> = {},
): string | undefined {
  let text: string
  try {
    text = Buffer.from(readFile(file)).toString('utf8')
  } catch {
    return undefined
  }
  const { value } = readYaml(text, file)
  const stateDir = isMapping(value) ? value['state_dir'] : plainStateDir(text)
  if (stateDir !== undefined && (typeof stateDir !== 'string' || stateDir === '')) return undefined
  return resolve(dirname(resolve(file)), stateDir ?? defaultStateDir)
}

/** Of a text that is no YAML: the line at its left edge that sets the key. */
function plainStateDir(text: string): string | undefined {
  const [, written] = /^state_dir:[ \t]*(.*?)[ \t]*(?:#.*)?\r?$/m.exec(text) ?? []
  return written?.replace(/^(["'])(.*)\1$/, '$2')
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

// What is different between two configurations, key by key, in the words of the file.

export interface Change {
  /** Such as resource_pools, gpu, provider, max_instances: pools go by their names. */
  path: readonly string[]
  /** undefined: the key was not there, or is not any more. */
  before: unknown
  after: unknown
}

/** In the order of the paths. Defaults count as written: what is left out now and was written as its default is no change. */
export function changesBetween(before: MasterConfig, after: MasterConfig): Change[] {
  const order = ({ path }: Change) => path.join('\0')
  return compare([], byName(before), byName(after)).sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

/** Pools as a mapping; the name of the file itself does not count. */
function byName({ file: _, resource_pools, ...rest }: MasterConfig): object {
  const pools = resource_pools.map(({ pool_name, ...pool }) => [pool_name, pool] as const)
  return { ...rest, resource_pools: Object.fromEntries(pools) }
}

function compare(path: readonly string[], before: unknown, after: unknown): Change[] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isPlain(before) || !isPlain(after)) return [{ path, before, after }]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) => compare([...path, key], before[key], after[key]))
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
