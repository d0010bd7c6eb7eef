// Hot reload: a renewed pair of files is taken over as it becomes good; until then the last good one stays.

import { type Problem, ProvisionError, problem } from '../problems/problem.ts'
import { contentsFingerprint } from './files.ts'
import type { Clock } from './ports.ts'

export interface Loaded<T> {
  /** Missing when a problem is an error. */
  material?: T
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
  /** Takes the new material over. When it throws, the material counts as bad. */
  onChange: (material: T, warnings: Problem[]) => void
  /** Called once for each fault; what was taken over last stays in use. */
  onProblem: (problems: Problem[]) => void
  /** All is well again after `onProblem`: with new material, or with the old contents put back. */
  onRecovery?: () => void
}

const defaultGraceMs = 30_000

/** Looks until the returned function is called. */
export function watchMaterial<T>(options: WatchOptions<T>): () => void {
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
  let bad: { contents: string; since: number } | undefined
  let reported = ''

  const recover = (contents: string): void => {
    good = contents
    bad = undefined
    if (reported) onRecovery()
    reported = ''
  }
  return () => {
    const contents = contentsFingerprint(files)
    if (contents === good) return recover(contents)
    if (bad?.contents !== contents) bad = { contents, since: clock.now() }
    // Also while nothing changes: a certificate that is not valid yet becomes so by itself.
    const problems = takeOver(options)
    // Written while it was read: whatever was found is not what is there now.
    if (contentsFingerprint(files) !== contents) return
    if (problems.length === 0) return recover(contents)
    const fault = problems.map(({ code, message }) => `${code} ${message}`).join('\n')
    if (fault === reported || clock.now() - bad.since < graceMs) return
    reported = fault
    onProblem(problems)
  }
}

/** The errors for which it was not taken over. */
function takeOver<T>({ load, onChange }: WatchOptions<T>): Problem[] {
  try {
    const { material, problems } = load()
    if (material === undefined) return problems.length > 0 ? problems : [nothing()]
    onChange(material, problems)
    return []
  } catch (error) {
    if (error instanceof ProvisionError) return error.problems
    return [problem('INTERNAL', `new material was not taken over: ${String(error)}`, { cause: error })]
  }
}

function nothing(): Problem {
  return problem('INTERNAL', 'loading gave neither material nor a reason')
}
