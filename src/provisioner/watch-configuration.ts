// The configuration file is looked at while the provisioner runs; a broken one is reported, and the last good one stays.
import { loadConfig } from '../config/load.ts'
import type { MasterConfig } from '../config/master-config.ts'
import type { Clock, Logger } from '../platform/ports.ts'
import { tellProblems } from '../platform/tell-problems.ts'
import { watchMaterial } from '../platform/watch.ts'

export interface ConfigurationWatch {
  file: string
  env: Readonly<Record<string, string | undefined>>
  clock: Clock
  logger: Logger
  /** Of the file when it was first loaded. */
  since: string
  onChange: (config: MasterConfig) => void
}

const everyMs = 2000
/** An editor may write a file in several steps. */
const graceMs = 3000

/** Looks until the returned function is called. */
export function watchConfiguration(options: ConfigurationWatch): () => void {
  const { file, env, clock, logger, since, onChange } = options
  return watchMaterial<MasterConfig>({
    files: [file],
    since,
    load: () => {
      const { config, problems } = loadConfig(file, { env })
      return { material: config, problems }
    },
    clock,
    intervalMs: everyMs,
    graceMs,
    onChange(config, warnings) {
      tellProblems(logger, warnings)
      onChange(config)
    },
    onProblem(problems) {
      tellProblems(logger, problems)
      logger.error('the changed configuration is not usable; the last good one stays', { file })
    },
    onRecovery: () => logger.info('the configuration is good again', { file }),
  })
}
