// The command line like a user runs it: a separate process, its streams and its exit status.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { inject } from 'vitest'
import { type AsideRun, runAside } from './run-aside.ts'
import { root } from './sources.ts'

export type CliRun = AsideRun

export interface CliOptions {
  cwd?: string
  env?: Record<string, string>
  input?: string | Buffer
  /** Ends the process when it loads an SDK, opens a socket or resolves a name. */
  noOutside?: boolean
}

export function runCli(args: string[], { cwd, env = {}, input, noOutside }: CliOptions = {}): CliRun {
  const preload = noOutside ? ['--import', join(root, 'test/support/no-outside.mjs')] : []
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--no-warnings', ...preload, inject('cli'), ...args],
    { cwd, input, env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env }, maxBuffer: 1 << 26 },
  )
  return { status, stdout: stdout.toString(), stderr: stderr.toString(), bytes: stdout }
}

/** The same without blocking this process, for a master that runs in it. */
export function runCliAside(args: string[], options: Pick<CliOptions, 'cwd' | 'env'> = {}): Promise<CliRun> {
  return runAside(inject('cli'), args, options)
}
