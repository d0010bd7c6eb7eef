// Go and OpenSSL accept every chain that we accept: tested with certificates of a changed structure that are signed correctly.
// MUTANTS=15000 tries more of them, SEED=7 others.
import { beforeAll, expect, test } from 'vitest'
import { parseTlsCredentials } from '../../../src/pki/credentials.ts'
import { fits } from '../../../src/pki/key.ts'
import { covers } from '../../../src/pki/names.ts'
import { mutantKeys, signedMutants, unchanged } from '../../support/signed-mutants.ts'
import { masterName } from '../../support/x509-profiles.ts'
import { oldGo } from './run.ts'
import {
  type GoAnswer,
  goes,
  pemsOf,
  verifyWithGo,
  verifyWithOpenssl,
  verifyWithPython,
} from './verifiers.ts'

const count = Number(process.env['MUTANTS'] ?? 1000)
const seed = Number(process.env['SEED'] ?? 4711)

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

const answers = new Map<string, Promise<GoAnswer[]>>()

function answersOf(go: string, env: NodeJS.ProcessEnv): Promise<GoAnswer[]> {
  const key = `${go} ${env['GODEBUG']}`
  const answer =
    answers.get(key) ??
    verifyWithGo(
      accepted.map(({ chain }) => chain),
      { name: masterName, go, env },
    )
  answers.set(key, answer)
  return answer
}

test.each(goes)('Go %s accepts what we accept', async (_, go, env) => {
  const texts = await answersOf(go, env)
  expect(examples(texts.map(({ today }) => today))).toEqual({})
})

test.each(goes)('Go %s accepts it after a renewal, or we warn', async (_, go, env) => {
  const texts = await answersOf(go, env)
  const unexpected = (renewed: string, index: number) =>
    accepted[index]!.warnings.includes('TLS_RENEWAL_REFUSED') ? '' : renewed
  expect(examples(texts.map(({ renewed }, index) => unexpected(renewed, index)))).toEqual({})
})

test.runIf(oldGo)('a warning about renewals is true for at least one Go', async () => {
  const all = await Promise.all(goes.map(([, go, env]) => answersOf(go, env)))
  const baseless = accepted.filter(
    ({ warnings }, index) =>
      warnings.includes('TLS_RENEWAL_REFUSED') && all.every((texts) => texts[index]!.renewed === ''),
  )
  expect(baseless.map(({ chain }) => pemsOf(chain))).toEqual([])
})

test('Python and OpenSSL accept what we accept', async () => {
  const texts = await errorsOfPython()
  for (const [index, { chain, key }] of accepted.entries())
    if (!key) texts[index] = await verifyWithOpenssl(chain, masterName)
  expect(examples(texts)).toEqual({})
})

/** Errors of those whose key is known. */
async function errorsOfPython(): Promise<string[]> {
  const questions = accepted.flatMap(({ chain, key }, index) =>
    key ? [{ index, chain: pemsOf(chain), key, name: masterName }] : [],
  )
  const answers = await verifyWithPython(questions.map(({ index: _, ...question }) => question))
  const texts: string[] = []
  for (const [n, text] of answers.entries()) texts[questions[n]!.index] = text
  return texts
}
