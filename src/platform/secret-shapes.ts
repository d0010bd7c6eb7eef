// Finds secrets in texts: one list for the check of user data and for the log. Known shapes of tokens, values under the
// name of a secret, and the passwords of commands; `secretlint` and its like know the first kind only.
import { decodedTexts, listedPasswords } from './secret-blocks.ts'
import { type CommandShape, commandShapes } from './secret-commands.ts'
import { namedValues } from './secret-names.ts'
import { placeShapes } from './secret-places.ts'
import { strayValues } from './secret-stray.ts'
import { tokenShapes } from './secret-tokens.ts'
import { isCommandSecret, looksMade, looksRandom, writtenValue } from './secret-values.ts'

export interface FoundSecret {
  what: string
  /**
   * True for the shape of a known kind of key or token, or a command that takes nothing but a password there. False where
   * only the name beside a value suggests that it is a secret.
   */
  certain: boolean
  /** Where the secret begins and ends in the text. */
  start: number
  end: number
}

export const secretMask = '********'

/** All tokens in one pattern, because most texts have none of them. */
const anyToken = new RegExp(tokenShapes.map(({ pattern }) => `(?:${pattern.source})`).join('|'), 'm')
const eachToken = tokenShapes.map((one) => ({ ...one, pattern: new RegExp(one.pattern.source, 'gm') }))

/**
 * A host, an image, a name: one word in which nothing is called a secret. It may still be a token. Most texts of a setup are
 * such words, and to compile the other patterns for them takes longer than all else that a check of a file does.
 */
const plainWord =
  /^(?!.*(?:pass|pwd|pw|pin|secret|token|key|auth|cred|login|basic|bearer|:\/\/|\/t\/))[\w.:/@+-]*$/i

/** A token has a run of letters and digits that is no word: `determined-agent` is none. */
const tokenRun = /(?=[a-z_-]{0,30}[A-Z0-9])[\w-]{14}|[a-z]{16}|xox/

/** Secrets in a text, by their place. What is found twice is reported by its shape, not by its name. */
export function findSecrets(text: string): FoundSecret[] {
  // Before any other pattern is compiled.
  if (text.length < 300 && plainWord.test(text) && !tokenRun.test(text)) return []
  const found = written(text)
  for (const { start, end, decoded } of decodedTexts(text))
    if (written(decoded).length > 0) found.push({ what: 'a secret in base64', certain: false, start, end })
  return withoutOverlaps(found)
}

/** Secrets that stand in the text as they are. */
function written(text: string): FoundSecret[] {
  const found: FoundSecret[] = []
  if (anyToken.test(text))
    for (const { what, pattern, certain } of eachToken)
      for (const { index, 0: all } of matches(pattern, text))
        if (!isFilledUp(all)) found.push({ what, certain, start: index, end: index + all.length })
  if (!plainWord.test(text)) {
    for (const shape of [...commandShapes, ...placeShapes]) found.push(...secretsOf(shape, text))
    for (const span of namedValues(text))
      found.push({ what: 'a value under the name of a secret', certain: false, ...span })
    found.push(...listedPasswords(text))
  }
  for (const span of strayValues(text))
    found.push({ what: 'a value that looks random', certain: false, ...span })
  return found
}

/** `sk_test_xxxxxxxx`, `ghp_yourPersonalAccessToken`: what documentation shows in place of a token. */
function isFilledUp(value: string): boolean {
  return value.length < 200 && (/([xX*.0_-])\1{7,}/.test(value) || /your[A-Z_-]/.test(value))
}

/** As `matchAll`, which compiles the pattern anew each time. */
function* matches(pattern: RegExp, text: string): Generator<RegExpExecArray> {
  pattern.lastIndex = 0
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const next = pattern.lastIndex
    yield match
    pattern.lastIndex = match[0] === '' ? next + 1 : next
  }
}

function secretsOf({ what, pattern, value, certain }: CommandShape, text: string): FoundSecret[] {
  const found: FoundSecret[] = []
  for (const match of matches(pattern, text)) {
    const group = match.findIndex((one, n) => n > 0 && one !== undefined)
    const [start, end] = match.indices?.[group] ?? [0, 0]
    const written =
      match.length > 2
        ? writtenValue(match, 1)
        : { text: (match[1] ?? '').replace(/\]$/, ''), quote: '' as const }
    if (start === end || !isCommandSecret(written)) continue
    if (value === 'made' && !looksMade(written.text)) continue
    if (value === 'random' && !looksRandom(written.text)) continue
    found.push({ what, certain, start, end })
  }
  return found
}

/** By place; of two that overlap the certain one, then the one that begins first, which covers both. */
function withoutOverlaps(found: FoundSecret[]): FoundSecret[] {
  const kept: FoundSecret[] = []
  for (const one of found.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = kept.at(-1)
    if (!last || one.start >= last.end) {
      kept.push({ ...one })
      continue
    }
    last.end = Math.max(last.end, one.end)
    if (one.certain && !last.certain) Object.assign(last, { what: one.what, certain: true })
  }
  return kept
}

/** Name and password of a URL (RFC 3986, 3.2.1); its host is kept. */
const userinfo = /\b([a-z][a-z0-9+.-]{0,15}:\/\/)[^\s/?#@'"]{1,300}@/gi

/** The text with every secret replaced by asterisks, wherever it stands; what stands before a password is kept. */
export function maskSecrets(text: string): string {
  const found = findSecrets(text)
  let masked = ''
  let end = 0
  for (const secret of found) {
    masked += `${text.slice(end, secret.start)}${secretMask}`
    end = secret.end
  }
  masked += text.slice(end)
  return maskEverywhere(masked, text, found).replace(userinfo, `$1${secretMask}@`)
}

/** More values than a text of a setup has; to look for each of them would take a time that grows with the square. */
const mostSought = 100

/** Masks where the same values stand again: the first hundred within any word, the others as words of their own. */
function maskEverywhere(masked: string, text: string, found: readonly FoundSecret[]): string {
  const values = [...new Set(found.map((one) => text.slice(one.start, one.end)))].filter(
    (value) => value.length >= 6 && looksMade(value),
  )
  let out = masked
  for (const value of values.slice(0, mostSought)) out = out.replaceAll(value, secretMask)
  if (values.length <= mostSought) return out
  const rest = new Set(values.slice(mostSought))
  return out.replace(/[^\s"'`=:,;@/|<>()[\]{}&?]+/g, (one) => (rest.has(one) ? secretMask : one))
}
