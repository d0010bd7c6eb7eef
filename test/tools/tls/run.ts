// Runs programs of other languages for tests: JSON in, JSON out, without this machine's own trust settings.
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

export const run = promisify(execFile)

const ours = /^(NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|GODEBUG)$/

/** The environment without variables that would give clients other certificates. */
export const cleanEnv: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !ours.test(name)),
)

/** Settings of the current Go instead of those of Go 1.22, which our modules' go line selects. */
export const todaysGo: NodeJS.ProcessEnv = {
  ...cleanEnv,
  GODEBUG: 'x509negativeserial=0,rsa1024min=1,tlssha1=0,tlsrsakex=0,tls3des=0,x509usepolicies=1',
}

/**
 * Go 1.22 itself, with which Determined's agent is built: Debian's package golang-1.22-go, or another one that OLD_GO names.
 * Undefined if there is none; then only its settings are tested.
 */
export const oldGo: string | undefined = [process.env['OLD_GO'], '/usr/lib/go-1.22/bin/go'].find(
  (path) => path !== undefined && existsSync(path),
)

/** Builds the Go program in a folder beside this file and passes its path to `use`. `go`: the compiler. */
export async function withGoProgram<T>(
  name: string,
  use: (program: string) => Promise<T>,
  go = 'go',
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), `go-${name}-`))
  try {
    const program = join(directory, name)
    await run(go, ['build', '-o', program, '.'], { cwd: join(import.meta.dirname, name), env: cleanEnv })
    return await use(program)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Writes a value to a program's standard input and reads its answer. */
export function converse<T>(program: string, args: string[], input: unknown, env = cleanEnv): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      out += chunk
    })
    child.once('error', reject)
    child.once('close', (status) =>
      status === 0 ? resolve(JSON.parse(out)) : reject(new Error(`${program} ended with status ${status}`)),
    )
    child.stdin.end(JSON.stringify(input))
  })
}
