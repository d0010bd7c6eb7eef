// Runs a program of this project in a separate process to its end, without blocking this process.
import { spawn } from 'node:child_process'

export interface AsideRun {
  status: number | null
  stdout: string
  stderr: string
  bytes: Buffer
}

/** @param cli the launcher of the command line, such as dist/cli.cjs */
export function runAside(
  cli: string,
  args: string[],
  { cwd, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<AsideRun> {
  const child = spawn(process.execPath, ['--no-warnings', cli, ...args], {
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
