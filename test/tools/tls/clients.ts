// TLS clients of other languages: each dials the whole table and returns one verdict per shape.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Verdict } from '../../support/shapes/shape.ts'
import { cleanEnv, converse, run, todaysGo, withGoProgram } from './run.ts'

export interface Job {
  id: string
  port: number
  anchorsPem: string
  certificateName?: string
}

/** Verdict of each job; an unexpected error stays as its text, so that a test shows it. */
export type Results = Record<string, Verdict | string>

export function dialWithGo(jobs: Job[]): Promise<Record<'go' | 'goNew', Results>> {
  return withGoProgram('dial', async (program) => ({
    go: mapValues(await converse<Record<string, string>>(program, [], jobs), goVerdict),
    goNew: mapValues(await converse<Record<string, string>>(program, [], jobs, todaysGo), goVerdict),
  }))
}

export async function dialWithPython(
  jobs: Job[],
): Promise<Record<'python' | 'pythonStrict' | 'pythonFull', Results>> {
  const verdicts = await converse<Record<string, string[]>>(
    'python3',
    [join(import.meta.dirname, 'dial.py')],
    jobs,
  )
  const mode = (index: number) => mapValues(verdicts, (texts) => opensslVerdict(texts[index]!))
  return { python: mode(0), pythonStrict: mode(1), pythonFull: mode(2) }
}

export async function dialWithOpenssl(jobs: Job[]): Promise<Results> {
  const directory = mkdtempSync(join(tmpdir(), 'openssl-dial-'))
  try {
    const results: Results = {}
    // The tool needs one process per shape; a few run at a time.
    const waiting = [...jobs.entries()]
    const worker = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [index, job] = next
        const anchors = join(directory, `${index}.pem`)
        writeFileSync(anchors, job.anchorsPem)
        results[job.id] = opensslVerdict(await sClient(job, anchors))
      }
    }
    await Promise.all([worker(), worker(), worker()])
    return results
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function sClient({ port, certificateName = '127.0.0.1' }: Job, anchors: string): Promise<string> {
  const name = isIP(certificateName)
    ? ['-noservername', '-verify_ip', certificateName]
    : ['-servername', certificateName, '-verify_hostname', certificateName]
  const trust = ['-CAfile', anchors, '-no-CApath', '-no-CAstore', '-verify_return_error']
  const args = [
    's_client',
    '-connect',
    `127.0.0.1:${port}`,
    ...name,
    ...trust,
    '-cipher',
    'DEFAULT@SECLEVEL=2',
  ]
  const child = run('openssl', args, { env: cleanEnv, timeout: 60_000 })
  child.child.stdin?.end()
  try {
    const { stdout } = await child
    return stdout.includes('Verify return code: 0 (ok)') ? '' : stdout
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
    const code = /verify error:num=(\d+):(.*)/.exec(text)
    return code ? `verify ${code[1]} ${code[2]}` : text
  }
}

function mapValues<T>(record: Record<string, T>, verdictOf: (value: T) => Verdict | string): Results {
  return Object.fromEntries(Object.entries(record).map(([id, value]) => [id, verdictOf(value)]))
}

const goMessages: [RegExp, Verdict][] = [
  [
    /^x509: certificate is (valid for|not valid for any names)|cannot validate certificate for|legacy Common Name/,
    'name',
  ],
  [/is before/, 'not_yet_valid'],
  [/is after/, 'expired'],
  [/incompatible key usage/, 'purpose'],
  [/signed by unknown authority/, 'untrusted'],
  [/unhandled critical extension/, 'critical'],
  [/failed to parse certificate/, 'unreadable'],
  [/handshake failure/, 'handshake'],
]

function goVerdict(text: string): Verdict | string {
  if (text === '') return 'ok'
  return (
    goMessages.find(([pattern]) =>
      pattern.test(text.replace(/^tls: failed to verify certificate: /, '')),
    )?.[1] ?? text
  )
}

/** Numbers of X509_V_ERR_… (openssl/x509_vfy.h). */
const verifyCodes: [Verdict, number[]][] = [
  ['untrusted', [2, 18, 19, 20, 21]],
  ['not_yet_valid', [9]],
  ['expired', [10]],
  ['unreadable', [13, 14]],
  ['ca', [24, 25, 32, 79]],
  ['purpose', [26]],
  ['critical', [34]],
  ['constraint', [47, 48]],
  ['name', [62, 64]],
  ['weak', [66, 67, 68]],
  ['strict', [80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94]],
]

function opensslVerdict(text: string): Verdict | string {
  if (text === '') return 'ok'
  if (/handshake failure|HANDSHAKE_FAILURE/.test(text)) return 'handshake'
  const code = Number(/^verify (\d+)/.exec(text)?.[1])
  return verifyCodes.find(([, codes]) => codes.includes(code))?.[0] ?? text
}
