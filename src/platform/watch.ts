// Hot reload: changed files are taken over as soon as their contents are good; until then the last good ones stay.

import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { contentsFingerprint } from './files.ts'
import { tellProblems } from './log.ts'
import type { Clock, Logger } from './ports.ts'

export interface WatchAndReport<T> extends Pick<WatchOptions<T>, 'files' | 'load' | 'clock' | 'graceMs'> {
  /** In log messages, after "the": `certificate`. */
  what: string
  /** `contentsFingerprint(files)` of before the first load. */
  since: string
  logger: Logger
  /** Uses the new contents, or returns the problem that forbids it: then it is tried again later. */
  use?: (contents: T) => Problem | undefined
  /** The new contents are good and in use; warnings about them are in the log. */
  onChange: (contents: T) => void
}

const everyMs = 2000

/** Looks every two seconds until the returned function is called, and logs what is wrong with the contents. */
export function watchAndReport<T>({ what, logger, use, onChange, ...watch }: WatchAndReport<T>): () => void {
  const [file] = watch.files
  return watchFiles<T>({
    ...watch,
    intervalMs: everyMs,
    onChange(contents, warnings) {
      const unusable = use?.(contents)
      if (unusable) throw new ProvisionError(unusable)
      tellProblems(logger, warnings)
      onChange(contents)
    },
    onProblem(problems) {
      tellProblems(logger, problems)
      logger.error(`the changed ${what} is not usable; the last good one stays`, { file })
    },
    onRecovery: () => logger.info(`the ${what} is good again`, { file }),
  })
}

export interface Loaded<T> {
  /** Missing when a problem is an error. */
  contents?: T
  problems: Problem[]
}

export interface WatchOptions<T> {
  /** Every file that `load` reads. */
  files: readonly string[]
  load: () => Loaded<T>
  clock: Clock
  /** Milliseconds between two looks. */
  intervalMs: number
  /** Milliseconds for which new contents may be bad before that is reported: files of a pair change one by one. */
  graceMs?: number
  /** `contentsFingerprint(files)` of before the first load, so that no change falls between it and the watch. */
  since?: string
  /** Takes the new contents over. When it throws, they count as bad. */
  onChange: (contents: T, warnings: Problem[]) => void
  /** Called once for each fault; what was taken over last stays in use. */
  onProblem: (problems: Problem[]) => void
  /** All is well again after `onProblem`: with new contents, or with the old ones put back. */
  onRecovery?: () => void
}

const defaultGraceMs = 30_000

/** Looks until the returned function is called. */
export function watchFiles<T>(options: WatchOptions<T>): () => void {
  const stopped = new AbortController()
  const look = createLook(options)
  const run = async (): Promise<void> => {
    for (;;) {
      await options.clock.sleep(options.intervalMs, stopped.signal)
      look()
    }
  }
  run().catch((error) => {
    // A callback that throws is a fault of this program, and not one to go on with in silence.
    if (!stopped.signal.aborted) throw error
  })
  return () => stopped.abort()
}

function createLook<T>(options: WatchOptions<T>): () => void {
  const { files, clock, graceMs = defaultGraceMs, onProblem, onRecovery = () => {} } = options
  let good = options.since ?? contentsFingerprint(files)
  let bad: { fingerprint: string; since: number } | undefined
  let reported = ''

  const recover = (fingerprint: string): void => {
    good = fingerprint
    bad = undefined
    if (reported) onRecovery()
    reported = ''
  }
  return () => {
    const fingerprint = contentsFingerprint(files)
    if (fingerprint === good) return recover(fingerprint)
    if (bad?.fingerprint !== fingerprint) bad = { fingerprint, since: clock.now() }
    // Also while nothing changes: a certificate that is not valid yet becomes so by itself.
    const problems = takeOver(options)
    // Written while it was read: whatever was found is not what is there now.
    if (contentsFingerprint(files) !== fingerprint) return
    if (problems.length === 0) return recover(fingerprint)
    const fault = problems.map(({ code, message }) => `${code} ${message}`).join('\n')
    if (fault === reported || clock.now() - bad.since < graceMs) return
    reported = fault
    onProblem(problems)
  }
}

/** The errors for which it was not taken over. */
function takeOver<T>({ load, onChange }: WatchOptions<T>): Problem[] {
  try {
    const { contents, problems } = load()
    if (contents === undefined) return problems.length > 0 ? problems : [nothing()]
    onChange(contents, problems)
    return []
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems
    return [problem('INTERNAL', `new material was not taken over: ${String(error)}`, { cause: error })]
  }
}

function nothing(): Problem {
  return problem('INTERNAL', 'loading gave neither material nor a reason')
}
