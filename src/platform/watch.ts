// Hot reload: applies changed files as soon as their contents are valid; until then the previous contents stay in use.

import { type Problem, ProvisionError, problem } from '../problems/index.ts'
import { contentsFingerprint } from './files.ts'
import { tellProblems } from './log.ts'
import type { Clock, Logger } from './ports.ts'

export interface WatchAndReport<T> extends Pick<WatchOptions<T>, 'files' | 'load' | 'clock' | 'graceMs'> {
  /** In log messages, after "the": `certificate`. */
  what: string
  /** `contentsFingerprint(files)` before the first load. */
  since: string
  logger: Logger
  /** Uses the new contents, or returns the problem that prevents it: then it is retried later. */
  use?: (contents: T) => Problem | undefined
  /** Called when the new contents are valid and in use; warnings about them are in the log. */
  onChange: (contents: T) => void
}

const everyMs = 2000

/** Polls every two seconds until the returned function is called, and logs problems of the contents. */
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
      logger.error(`the changed ${what} is not valid; the previous one stays in use`, { file })
    },
    onRecovery: () => logger.info(`the ${what} is valid again`, { file }),
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
  /** Milliseconds between two polls. */
  intervalMs: number
  /** Milliseconds for which new contents may be invalid before that is reported: files of a pair change one by one. */
  graceMs?: number
  /** `contentsFingerprint(files)` before the first load, so that no change between load and watch is missed. */
  since?: string
  /** Applies the new contents. When it throws, they count as invalid. */
  onChange: (contents: T, warnings: Problem[]) => void
  /** Called once for each fault; the previous contents stay in use. */
  onProblem: (problems: Problem[]) => void
  /** Called when the problem is solved, by new contents or by restored old ones. */
  onRecovery?: () => void
}

const defaultGraceMs = 30_000

/** Polls until the returned function is called. */
export function watchFiles<T>(options: WatchOptions<T>): () => void {
  const stopped = new AbortController()
  const poll = createPoll(options)
  const run = async (): Promise<void> => {
    for (;;) {
      await options.clock.sleep(options.intervalMs, stopped.signal)
      poll()
    }
  }
  run().catch((error) => {
    // A callback that throws is a bug of this program and must not be ignored.
    if (!stopped.signal.aborted) throw error
  })
  return () => stopped.abort()
}

function createPoll<T>(options: WatchOptions<T>): () => void {
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
    // Loads unchanged files too: a certificate that is not valid yet becomes valid with time.
    const problems = apply(options)
    // The files were changed while they were read: the loaded contents are out of date.
    if (contentsFingerprint(files) !== fingerprint) return
    if (problems.length === 0) return recover(fingerprint)
    const fault = problems.map(({ code, message }) => `${code} ${message}`).join('\n')
    if (fault === reported || clock.now() - bad.since < graceMs) return
    reported = fault
    onProblem(problems)
  }
}

/** Loads and applies the contents; returns the errors that prevented it. */
function apply<T>({ load, onChange }: WatchOptions<T>): Problem[] {
  try {
    const { contents, problems } = load()
    if (contents === undefined) return problems.length > 0 ? problems : [noContents()]
    onChange(contents, problems)
    return []
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems
    return [problem('INTERNAL', `the new contents were not applied: ${String(error)}`, { cause: error })]
  }
}

function noContents(): Problem {
  return problem('INTERNAL', 'loading returned neither contents nor a reason')
}
