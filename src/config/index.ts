// From master.yaml to the configuration: reading, rules, defaults, the location of each problem, the reference page.
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
import type { ReadableConfig } from './readable.ts'
import { defaultStateDir } from './state.ts'
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
export { acceptedProofs, type JoinConfig, requiresProof } from './join.ts'
export type { JsonSchema } from './json-schema.ts'
export { each, type Synonyms } from './key-hints.ts'
export { localHostOf, masterAddressOf } from './master-address.ts'
export type { DemandConfig, ListenConfig, MasterConfig, PoolConfig, TlsFiles } from './master-config.ts'
export { type ProviderBlock, providerBlock, providerSchema } from './provider.ts'
export { listOf } from './provider-addresses.ts'
export {
  type AgentRuntime,
  type CommonProviderConfig,
  checkDuplicates,
  commonRules,
  defaultAgentImage,
  givenIn,
  instanceTypeList,
  instanceTypes,
  isDeterminedImage,
  type ProviderConfig,
  spotKey,
  type TlsOptions,
} from './provider-keys.ts'
export {
  type Block,
  doubt,
  given,
  inner,
  isMapping,
  note,
  type Partially,
  sure,
} from './read-block.ts'
export type { ReadableConfig } from './readable.ts'
export { configSchema } from './reference.ts'
export { codeFrame, reportProblem, shown } from './report.ts'
export { checkImages } from './rollout.ts'
export { clusterIdPattern, demandTypes } from './schema.ts'
export { type StandardSchema, standardProviderBlock } from './standard-block.ts'
export type { PostgresConfig } from './state.ts'
export { nameOf, orList } from './value-problem.ts'
export * as z from './words.ts'
export { readYaml, type YamlPath } from './yaml.ts'

export interface LoadOptions {
  /** Every type of provider a pool may have. */
  providers: readonly ProviderBlock[]
  readFile?: (path: string) => Uint8Array
  /** DET_PORT, DET_SECURITY_TLS_CERT and DET_SECURITY_TLS_KEY override the file; no other variable is read. */
  env?: Record<string, string | undefined>
}

export interface Loaded {
  /** undefined when there is an error. */
  config?: MasterConfig
  /** With errors: what can be judged in spite of them; undefined if they leave open whether TLS is on. */
  readable?: ReadableConfig
  /** In the order of the file. */
  problems: Problem[]
  /**
   * Further warnings, for `provision validate`: values that can be right, but are unusual. Missing if the file is no
   * mapping.
   */
  doubts?: Problem[]
}

/** Never throws for a problem of the file. Relative paths in the file are relative to its folder. */
export function loadConfig(file: string, options: LoadOptions): Loaded {
  const { readFile = readFileSync } = options
  let bytes: Uint8Array
  try {
    bytes = readFile(file)
  } catch (error) {
    return { problems: [unreadable(file, error)] }
  }
  if (!isUtf8(bytes))
    return { problems: [problem('CONFIG_FILE_NOT_TEXT', 'the file is not UTF-8 text', { where: { file } })] }
  return parseConfig(Buffer.from(bytes).toString('utf8'), file, options)
}

/** The same for a file that was already read; `file` is its path in problems and gives the folder of relative paths. */
export function parseConfig(text: string, file: string, { env = {}, providers }: LoadOptions): Loaded {
  const yaml = readYaml(text, file)
  const overrides = overridesOf(env)
  const reading: Reading = {
    yaml,
    problems: [...yaml.problems, ...overrides.problems],
    doubts: [],
    folder: dirname(resolve(file)),
  }
  if (isMapping(yaml.value)) {
    const read = readMaster({ reading, path: [], raw: yaml.value }, file, overrides, providers)
    return { ...read, problems: inOrder(reading.problems), doubts: reading.doubts }
  }
  if (isAbsent(yaml.value) && !yaml.problems.some(isError))
    reading.problems.push(problem('CONFIG_FILE_EMPTY', 'the file has no keys', { where: { file } }))
  else if (!isAbsent(yaml.value))
    reading.problems.push(
      problem(
        'CONFIG_NOT_A_MAPPING',
        `the file must be a mapping, but is ${Array.isArray(yaml.value) ? 'a list' : 'a single value'}`,
        {
          where: { ...yaml.locate([]), line: 1, column: 1 },
        },
      ),
    )
  return { problems: inOrder(reading.problems) }
}

/**
 * The state folder set by a file that may have errors elsewhere; undefined if state_dir cannot be read. For callers that
 * need nothing else of the file.
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
  const stateDir = isMapping(value) ? (value['state_dir'] ?? folderIn(value['state'])) : plainStateDir(text)
  if (stateDir !== undefined && (typeof stateDir !== 'string' || stateDir === '')) return undefined
  return resolve(dirname(resolve(file)), stateDir ?? defaultStateDir)
}

/**
 * Whether the state is in that folder: false for one in a database, of which nothing is known while the file has errors.
 */
export function isStateInFolder(
  file: string,
  { readFile = readFileSync }: Pick<LoadOptions, 'readFile'> = {},
): boolean {
  let text: string
  try {
    text = Buffer.from(readFile(file)).toString('utf8')
  } catch {
    return true
  }
  const { value } = readYaml(text, file)
  if (!isMapping(value)) return !/^state:[^\n]*(?:\n[ \t]+[^\n]*)*\btype:[ \t]*["']?postgres/m.test(text)
  return !isMapping(value['state']) || value['state']['type'] !== 'postgres'
}

/** `state.path`, which names the same folder. */
function folderIn(state: unknown): unknown {
  return isMapping(state) && state['type'] !== 'postgres' ? (state['path'] ?? undefined) : undefined
}

/** For a file that is not YAML: the top-level line that sets the key. */
function plainStateDir(text: string): string | undefined {
  const [, written] = /^state_dir:[ \t]*(.*?)[ \t]*(?:#.*)?\r?$/m.exec(text) ?? []
  return written?.replace(/^(["'])(.*)\1$/, '$2')
}

function unreadable(file: string, error: unknown): Problem {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const at = { where: { file }, cause: error }
  if (code === 'ENOENT') return problem('CONFIG_FILE_MISSING', `file not found: ${resolve(file)}`, at)
  if (code === 'EISDIR') return problem('CONFIG_FILE_IS_DIRECTORY', 'the path is a directory, not a file', at)
  const reason = code || (error instanceof Error ? error.message : String(error))
  return problem('CONFIG_FILE_UNREADABLE', `the file cannot be read (${reason})`, at)
}

function inOrder(problems: Problem[]): Problem[] {
  const line = ({ where }: Problem) => where?.line ?? 0
  const column = ({ where }: Problem) => where?.column ?? 0
  return problems.sort((a, b) => line(a) - line(b) || column(a) - column(b))
}

// The differences between two configurations, key by key, as in the file.

export interface Change {
  /** Such as resource_pools, gpu, provider, max_instances: pools go by their names. */
  path: readonly string[]
  /** undefined: the key was added or removed. */
  before: unknown
  after: unknown
}

/** Sorted by path. Defaults count as written: removing a key that was set to its default is no change. */
export function changesBetween(before: MasterConfig, after: MasterConfig): Change[] {
  const order = ({ path }: Change) => path.join('\0')
  return compare([], byName(before), byName(after)).sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

/** Pools as a mapping by name, without the path of the file and its lines. */
function byName({ file: _, locate: __, resource_pools, ...rest }: MasterConfig): object {
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
