// The owner of the configuration in force. A changed configuration is applied while the provisioner runs, as far as
// possible, and every change is logged.

import { createHash } from 'node:crypto'
import { loadConfig, type MasterConfig } from '../config/index.ts'
import { leftProblem } from '../fleet/index.ts'
import { isLive } from '../planner/index.ts'
import { type Clock, type Logger, limit, redact, tellProblems, watchAndReport } from '../platform/index.ts'
import { isError, type Problem } from '../problems/index.ts'
import type { AnyProvider } from '../providers/index.ts'
import type { PoolPlans } from './plans.ts'
import type { RunningPools } from './pools.ts'
import { planReload, type ReloadPlan, type Takes } from './reload.ts'

export interface Configuration {
  current(): MasterConfig
  /** False while the file, as it was last read, is invalid: its pools are not known then. */
  isTrusted(): boolean
  /** The file was read again. */
  read(isUsable: boolean): void
  /** The last good configuration stays if the new one cannot launch VMs. Reloads run one after the other. */
  reload(after: MasterConfig, pools: PoolsToReload): Promise<Reloaded>
}

/** The parts that a reload updates. */
export interface PoolsToReload {
  plans: Pick<PoolPlans, 'use'>
  running: Pick<RunningPools, 'reconfigure' | 'restart' | 'status'>
}

export interface Reloaded {
  /** In force now. */
  config: MasterConfig
  changes: ReloadPlan['changes']
  /** If one of them is an error, nothing was applied. */
  problems: Problem[]
}

export function createConfiguration(
  first: MasterConfig,
  { providers, logger }: { providers: readonly AnyProvider[]; logger: Logger },
): Configuration {
  let current = first
  let isTrusted = true
  const oneByOne = limit(1)

  async function takeOver(after: MasterConfig, { plans, running }: PoolsToReload): Promise<Reloaded> {
    const plan = planReload(current, after, providers)
    const { config, changes, reconfigured, restarted } = plan
    if (changes.length === 0) {
      logger.info('the configuration has not changed')
      // But perhaps its lines.
      current = config
      return { config, changes: [], problems: [] }
    }
    const problems = await plans.use(config, () => {
      current = config
    })
    tellProblems(logger, problems)
    isTrusted = !problems.some(isError)
    if (!isTrusted) {
      logger.error('the changed configuration is not applied; the last valid one stays in effect')
      return { config: current, changes, problems }
    }
    tellChanges(changes, logger)
    reportLeft(plan, running, logger)
    for (const pool of reconfigured) running.reconfigure(pool)
    await Promise.all(restarted.map(running.restart))
    return { config: current, changes, problems }
  }

  return {
    current: () => current,
    isTrusted: () => isTrusted,
    read(isUsable) {
      isTrusted = isUsable
    },
    reload: (after, pools) => oneByOne(() => takeOver(after, pools)),
  }
}

function tellChanges(changes: ReloadPlan['changes'], logger: Logger): void {
  for (const { path, before, after, takes } of changes) {
    const key = path.join('.')
    const told = { key, from: shown(path, before), to: shown(path, after) }
    if (takes === 'next_start') logger.warn(sentences[takes], told)
    else logger.info(sentences[takes], told)
  }
}

/** Pools that the changed file removes or moves run until the next start: then their instances belong to no pool. */
function reportLeft(
  { removed, moved }: ReloadPlan,
  { status }: Pick<RunningPools, 'status'>,
  logger: Logger,
): void {
  for (const { pool, instances } of status().pools) {
    const ids = instances.filter(isLive).map(({ id }) => id)
    const what = removed.includes(pool) ? 'removed' : moved.includes(pool) ? 'moved' : undefined
    if (what && ids.length > 0) tellProblems(logger, [leftProblem(pool, ids, what)])
  }
}

const sentences: Record<Takes, string> = {
  now: 'changed; in effect now',
  next_vms: 'changed; applies to instances launched from now on',
  next_start: 'changed in the file only; restart the provisioner to apply it',
}

/** Keys whose values are programs or files: they are long and may be confidential. */
const hidden = /script|user_?data|file_contents|metadata|template/i
const longest = 200

/**
 * The form in which a value is logged: blocks, scripts and long strings are replaced by their length and the beginning
 * of their SHA-256.
 */
function shown(path: readonly string[], value: unknown): unknown {
  if (value === undefined || value === null || typeof value === 'boolean' || typeof value === 'number')
    return value
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const isBlock = typeof value === 'object' && !Array.isArray(value)
  const isLong = text.length > longest || text.includes('\n')
  if (!isBlock && !isLong && !path.some((key) => hidden.test(key))) return maskedBy(path, value)
  const sha256 = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return `(${text.length} characters, SHA-256 ${sha256}…)`
}

/** A value whose key looks like a secret is not logged. */
function maskedBy(path: readonly string[], value: unknown): unknown {
  const nested = path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
  return path.reduce<unknown>(
    (outer, key) =>
      typeof outer === 'object' && outer !== null ? (outer as Record<string, unknown>)[key] : outer,
    redact(nested, -path.length),
  )
}

// The configuration file is polled while the provisioner runs; a broken one is reported, and the last valid one stays in effect.

export interface ConfigurationWatch {
  file: string
  providers: readonly AnyProvider[]
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  /** Of the file when it was first loaded. */
  since: string
  onChange: (config: MasterConfig) => void
  /** After each reading: whether the file can be used. */
  onRead: (isUsable: boolean) => void
}

/** An editor may write a file in several steps. */
const graceMs = 3000

/** Polls until the returned function is called. */
export function watchConfiguration({
  file,
  providers,
  env,
  onRead,
  ...options
}: ConfigurationWatch): () => void {
  return watchAndReport<MasterConfig>({
    ...options,
    what: 'configuration',
    files: [file],
    load() {
      const { config: contents, problems } = loadConfig(file, { env, providers })
      onRead(contents !== undefined)
      return { contents, problems }
    },
    graceMs,
  })
}
