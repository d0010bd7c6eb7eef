// The command line as a user runs it: its own process, its streams and its exit status.
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { inject } from 'vitest'
import { root } from './sources.ts'

export interface CliRun {
  status: number | null
  stdout: string
  stderr: string
  bytes: Buffer
}

export interface CliOptions {
  cwd?: string
  env?: Record<string, string>
  input?: string | Buffer
  /** Ends the process at the first SDK, socket or name. */
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

/** The same while this process goes on, for a master that runs in it. */
export function runCliAside(args: string[], { cwd, env = {} }: CliOptions = {}): Promise<CliRun> {
  const child = spawn(process.execPath, ['--no-warnings', inject('cli'), ...args], {
    cwd,
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (part: Buffer) => stdout.push(part))
  child.stderr.on('data', (part: Buffer) => stderr.push(part))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => {
      const bytes = Buffer.concat(stdout)
      resolve({ status, bytes, stdout: bytes.toString(), stderr: Buffer.concat(stderr).toString() })
    })
  })
}
