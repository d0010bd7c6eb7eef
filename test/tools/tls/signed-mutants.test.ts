// Go and OpenSSL accept every chain that we accept: tested with certificates of a changed structure that are signed correctly.
// MUTANTS=15000 tries more of them, SEED=7 others.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseTlsCredentials } from '../../../src/pki/credentials.ts'
import { fits } from '../../../src/pki/key.ts'
import { covers } from '../../../src/pki/names.ts'
import { mutantKeys, signedMutants, unchanged } from '../../support/signed-mutants.ts'
import { pemOf } from '../../support/x509.ts'
import { masterName } from '../../support/x509-profiles.ts'
import { cleanEnv, converse, oldGo, run, todaysGo, withGoProgram } from './run.ts'

const count = Number(process.env['MUTANTS'] ?? 1000)
const seed = Number(process.env['SEED'] ?? 4711)
const directory = mkdtempSync(join(tmpdir(), 'signed-mutants-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface Accepted {
  chain: Buffer[]
  /** Codes of the warnings. */
  warnings: string[]
  /** Of the server certificate, in PEM; undefined when a change made it another one. */
  key: string | undefined
}

let accepted: Accepted[]
beforeAll(() => {
  accepted = signedMutants(seed, count).flatMap((chain) => judge(chain) ?? [])
})

function judge(chain: Buffer[]): Accepted | undefined {
  const { material, problems } = parseTlsCredentials(pemsOf(chain), undefined, { now: Date.now() })
  if (!material?.path.complete || !covers(material.leaf.x509, masterName)) return undefined
  const key = mutantKeys.find(({ privateKey }) => fits(privateKey, material.leaf))
  return { chain, warnings: problems.map(({ code }) => code), key: key?.pem }
}

test('chains that are not changed are accepted', () => {
  const refused = Array.from({ length: 50 }, (_, n) => unchanged(n)).filter((chain) => !judge(chain))
  expect(refused).toEqual([])
})

test('many are accepted, and many are not', () => {
  expect(accepted.length / count).toBeGreaterThan(0.1)
  expect(accepted.length / count).toBeLessThan(0.6)
})

test('how many', () => {
  console.log(`${count} mutants with the seed ${seed}: ${accepted.length} accepted`)
})

/** One example of each error. */
function examples(texts: string[]): Record<string, string> {
  return Object.fromEntries(
    texts.flatMap((text, index) => (text ? [[text, pemsOf(accepted[index]!.chain)]] : [])),
  )
}

const goes = [
  ['of today', 'go', todaysGo],
  ['with the settings of 1.22', 'go', cleanEnv],
  ...(oldGo ? ([['1.22', oldGo, cleanEnv]] as const) : []),
] as const
const answers = new Map<string, Promise<[string, string][]>>()

function verifyWithGo(go: string, env: NodeJS.ProcessEnv): Promise<[string, string][]> {
  const key = `${go} ${env['GODEBUG']}`
  const questions = accepted.map(({ chain }) => ({
    Chain: chain.map((der) => der.toString('base64')),
    Name: masterName,
  }))
  const answer =
    answers.get(key) ??
    withGoProgram('verify', (program) => converse<[string, string][]>(program, [], questions, env), go)
  answers.set(key, answer)
  return answer
}

test.each(goes)('Go %s accepts what we accept', async (_, go, env) => {
  const texts = await verifyWithGo(go, env)
  expect(examples(texts.map(([today]) => today))).toEqual({})
})

test.each(goes)('Go %s accepts it after a renewal, or we warn', async (_, go, env) => {
  const texts = await verifyWithGo(go, env)
  const unexpected = (renewed: string, index: number) =>
    accepted[index]!.warnings.includes('TLS_RENEWAL_REFUSED') ? '' : renewed
  expect(examples(texts.map(([, renewed], index) => unexpected(renewed, index)))).toEqual({})
})

test.runIf(oldGo)('a warning about renewals is true for at least one Go', async () => {
  const all = await Promise.all(goes.map(([, go, env]) => verifyWithGo(go, env)))
  const baseless = accepted.filter(
    ({ warnings }, index) =>
      warnings.includes('TLS_RENEWAL_REFUSED') && all.every((texts) => texts[index]![1] === ''),
  )
  expect(baseless.map(({ chain }) => pemsOf(chain))).toEqual([])
})

test('Python and OpenSSL accept what we accept', async () => {
  const texts = await verifyWithPython()
  for (const [index, { chain, key }] of accepted.entries())
    if (!key) texts[index] = await verifyWithOpenssl(chain)
  expect(examples(texts)).toEqual({})
})

/** Errors of those whose key is known. */
async function verifyWithPython(): Promise<string[]> {
  const questions = accepted.flatMap(({ chain, key }, index) =>
    key ? [{ index, chain: pemsOf(chain), key, name: masterName }] : [],
  )
  const answers = await converse<string[]>(
    'python3',
    [join(import.meta.dirname, 'verify.py')],
    questions.map(({ index: _, ...question }) => question),
  )
  const texts: string[] = []
  for (const [n, text] of answers.entries()) texts[questions[n]!.index] = text
  return texts
}

/** The tool needs a process for each chain. */
async function verifyWithOpenssl(chain: Buffer[]): Promise<string> {
  const file = join(directory, 'chain.pem')
  writeFileSync(file, pemsOf(chain))
  const anchors = ['-CAfile', file, '-no-CApath', '-no-CAstore', '-untrusted', file]
  const asked = ['-purpose', 'sslserver', '-verify_hostname', masterName, '-auth_level', '2']
  try {
    await run('openssl', ['verify', ...anchors, ...asked, file], { env: cleanEnv })
    return ''
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
    return /error \d+ at .*/.exec(text)?.[0] ?? text
  }
}

function pemsOf(chain: Buffer[]): string {
  return chain.map((der) => pemOf(der)).join('')
}
