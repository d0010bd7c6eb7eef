// Go, OpenSSL and Python verify chains of which we have only the bytes: no server, no network.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pemOf } from '../../support/x509.ts'
import { cleanEnv, converse, oldGo, run, todaysGo, withGoProgram } from './run.ts'

/** The oldest and the newest Go that agents are built with, as far as this machine has them. */
export const goes = [
  ['of today', 'go', todaysGo],
  ['with the settings of 1.22', 'go', cleanEnv],
  ...(oldGo ? ([['1.22', oldGo, cleanEnv]] as const) : []),
] as const

/** An empty error: accepted. */
export interface GoAnswer {
  /** With every certificate of the chain as anchor. */
  today: string
  /** With only the last one. */
  renewed: string
}

/** Server certificate first. `name`: the name to verify; empty: none. */
export async function verifyWithGo(
  chains: Buffer[][],
  { name, go, env }: { name: string; go: string; env: NodeJS.ProcessEnv },
): Promise<GoAnswer[]> {
  const questions = chains.map((chain) => ({ Chain: chain.map((der) => der.toString('base64')), Name: name }))
  const answers = await withGoProgram(
    'verify',
    (program) => converse<[string, string][]>(program, [], questions, env),
    go,
  )
  return answers.map(([today, renewed]) => ({ today, renewed }))
}

/** With every certificate of the chain as anchor, but up to a root. The tool needs a process for each chain. */
export async function verifyWithOpenssl(chain: Buffer[], name?: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'openssl-verify-'))
  const file = join(directory, 'chain.pem')
  const anchors = ['-CAfile', file, '-no-CApath', '-no-CAstore', '-untrusted', file]
  const asked = ['-purpose', 'sslserver', ...(name ? ['-verify_hostname', name] : []), '-auth_level', '2']
  try {
    writeFileSync(file, pemsOf(chain))
    await run('openssl', ['verify', ...anchors, ...asked, file], { env: cleanEnv })
    return ''
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
    return /error \d+ at .*/.exec(text)?.[0] ?? text
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export interface PythonQuestion {
  chain: string
  /** Of the server certificate; both in PEM. */
  key: string
  /** The name to verify; default: none. */
  name?: string
}

export function verifyWithPython(questions: PythonQuestion[]): Promise<string[]> {
  return converse('python3', [join(import.meta.dirname, 'verify.py')], questions)
}

export function pemsOf(chain: Buffer[]): string {
  return chain.map((der) => pemOf(der)).join('')
}
