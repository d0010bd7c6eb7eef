// Finds values that look random in a line that is about credentials, where neither a name nor a known command stands
// beside them: `tool login acme qX7…`, a line of a here document for `aws configure`.
import { looksRandom } from './secret-values.ts'

/** What such a line is about. */
const about =
  /passw|passphrase|token|secret|api[_-]?key|credential|\bauth(?:orize|enticate)?\b|\blogin\b|\bconfigure\b|\bregister\b|licen[cs]e/i
/** What makes random text public: keys to verify with, hashes, names of things. */
const isPublic =
  /\bpub(?:lic)?\b|public[_-]?key|ssh-|ecdsa-|sha\d|\bmd5|digest|checksum|fingerprint|integrity|certificate|signature|thumbprint|\bcert\b|-----|gpg|ca-?cert|commit|revision|\bref\b|\.git\b.*\bcheckout\b|base64/i
const word = /(?<![\w+/.~%$@#-])[A-Za-z0-9][A-Za-z0-9+/_~-]{18,199}={0,2}(?![\w+/.~%@-])/g

export interface StrayValue {
  start: number
  end: number
}

/** Values of at least 19 characters with letters of both cases and digits. */
export function strayValues(text: string): StrayValue[] {
  const values: StrayValue[] = []
  let start = 0
  let before = ''
  for (const line of text.split('\n')) {
    // The line of a here document belongs to the command two lines above at most.
    if (line.length < 2000 && about.test(`${before}\n${line}`) && !isPublic.test(line))
      for (const { index, 0: value } of line.matchAll(word))
        if (isKeyLike(value)) values.push({ start: start + index, end: start + index + value.length })
    before =
      /<</.test(line) || (/<</.test(before) && !/<<.*\n.*\n/.test(before))
        ? `${before}\n${line}`.slice(-400)
        : ''
    start += line.length + 1
  }
  return values
}

function isKeyLike(value: string): boolean {
  const slashes = value.split('/').length - 1
  return /[a-z]/.test(value) && /[A-Z]/.test(value) && slashes <= 3 && looksRandom(value)
}
