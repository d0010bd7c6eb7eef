// The attributes of a code: severity, exit status of a command that fails with it, meaning, and remedy.

/** Exit status of the command line for an error: 1 failed, 2 usage, 3 refused, 4 preflight, 5 cloud. */
export type ExitCode = 1 | 2 | 3 | 4 | 5

export interface CodeInfo {
  severity: 'error' | 'warning'
  exit: ExitCode
  /** What the code means, one sentence, for the documentation. */
  meaning: string
  /** The remedy that is printed unless the problem has a more specific one. */
  remedy: string
}
