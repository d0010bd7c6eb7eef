// What is known of a code: how grave it is, how a command that ends with it exits, and what it means.

/** Exit status of the command line for an error: 1 failed, 2 usage, 3 refused, 4 preflight, 5 cloud. */
export type ExitCode = 1 | 2 | 3 | 4 | 5

export interface CodeInfo {
  severity: 'error' | 'warning'
  exit: ExitCode
  /** What the code means, one sentence, for the documentation. */
  meaning: string
  /** The remedy printed when the place that found the problem knows no better one. */
  remedy: string
}
