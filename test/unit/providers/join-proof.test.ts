// What all verifiers of join proofs share.
import { describe, expect, it } from 'vitest'
import { builtInProviders } from '../../../src/providers/index.ts'
import {
  checkProofTime,
  decodeBase64,
  invalid,
  lazyVerifier,
  other,
  proofFields,
  unchecked,
} from '../../../src/providers/join-proof.ts'
import { joinRequest } from '../../support/join-proofs/requests.ts'

const codeOf = (run: () => unknown) => {
  try {
    run()
    return 'accepted'
  } catch (error) {
    return (error as { code: string }).code
  }
}

it('the kinds of proofs of built-in providers have names of their own', () => {
  const all = builtInProviders.flatMap(({ proofKinds }) => proofKinds)
  expect(all.length).toBeGreaterThan(3)
  expect(new Set(all).size).toBe(all.length)
})

it('a lazy verifier is loaded once, when the first proof arrives', async () => {
  let loads = 0
  const seen: unknown[] = []
  const lazy = lazyVerifier('a', async () => {
    loads++
    return { kind: 'a', verify: async ({ proof }) => void seen.push(proof) }
  })
  expect([lazy.kind, loads]).toEqual(['a', 0])
  await Promise.all([lazy.verify(joinRequest(1, { id: 'x' })), lazy.verify(joinRequest(2, { id: 'x' }))])
  expect([seen, loads]).toEqual([[1, 2], 1])
})

describe('fields', () => {
  const read = (proof: unknown) => proofFields(proof, 'k', { a: /^x+$/, b: /^y$/ })
  it('are returned without the kind', () => {
    expect(read({ kind: 'k', a: 'xx', b: 'y' })).toEqual({ a: 'xx', b: 'y' })
  })

  it.each([
    null,
    'k',
    [],
    {},
    { kind: 'k', a: 'xx' },
    { kind: 'j', a: 'xx', b: 'y' },
    { kind: 'k', a: 'xx', b: 'y', c: '' },
    { kind: 'k', a: 'x\n', b: 'y' },
    { kind: 'k', a: ['xx'], b: 'y' },
    Object.assign(Object.create({ b: 'y' }), { kind: 'k', a: 'xx', c: '' }),
    JSON.parse('{"kind":"k","a":"xx","__proto__":{"b":"y"}}'),
  ])('of %j are refused', (proof) => {
    expect(codeOf(() => read(proof))).toBe('JOIN_PROOF_INVALID')
  })
})

describe('base64', () => {
  it.each(['QQ', 'QQ=', 'QR==', 'Q Q==', 'QQ==\n', 'QQ===', '-_==', 'QQ==QQ=='])('%j is refused', (text) => {
    expect(codeOf(() => decodeBase64(text, 'k', 'a'))).toBe('JOIN_PROOF_INVALID')
  })
  it('in its only form is decoded', () => {
    expect(decodeBase64('QQ==', 'k', 'a').toString()).toBe('A')
  })
})

describe('times', () => {
  it.each([
    [0, 'accepted'],
    [300_000, 'accepted'],
    [-300_000, 'accepted'],
    [300_001, 'JOIN_PROOF_INVALID'],
    [-300_001, 'JOIN_PROOF_INVALID'],
    [Number.NaN, 'JOIN_PROOF_INVALID'],
    [Number.POSITIVE_INFINITY, 'JOIN_PROOF_INVALID'],
  ])('%d ms away: %s', (offset, verdict) => {
    expect(codeOf(() => checkProofTime('k', 'date', 1e12 + offset, 1e12))).toBe(verdict)
  })
})

it('refusals are problems with a code, details and a remedy', () => {
  expect(invalid('k', 'why', { code: 1 }).problems).toMatchObject([
    {
      code: 'JOIN_PROOF_INVALID',
      severity: 'error',
      message: 'join proof k is invalid: why',
      details: { kind: 'k', code: 1 },
    },
  ])
  expect(other('k', 'why').problems).toMatchObject([{ code: 'JOIN_PROOF_OTHER', details: { kind: 'k' } }])
  const cause = new Error('cause')
  const [problem] = unchecked('k', 'why', { cause, remedy: 'Do.' }).problems
  expect(problem).toMatchObject({
    code: 'JOIN_PROOF_UNCHECKED',
    remedy: 'Do.',
    cause,
    details: { kind: 'k' },
  })
  expect(unchecked('k', 'why').problems[0]!.remedy).toMatch(/tries again/)
})
