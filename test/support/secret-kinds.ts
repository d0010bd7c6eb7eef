// More samples of secrets, by the way in which they stand in scripts for many tools, and lines that resemble them. The
// samples are lines of text files, in which marks stand for the values: no scanner takes them for secrets.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

function linesOf(name: string): string[] {
  return readFileSync(join(import.meta.dirname, name), 'utf8')
    .trimEnd()
    .split('\n')
}

/** Characters that look random, always the same. */
function random(length: number, alphabet: string): string {
  let out = ''
  for (let n = 0; out.length < length; n++)
    for (const byte of createHash('sha512').update(`kind${n}`).digest())
      out += alphabet[byte % alphabet.length]
  return out.slice(0, length)
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** `<P>` is a password, `<W>` one that is a word, `<A40>` and `<H40>` are random letters and digits, or hexadecimal ones, `¶` ends a line. */
export const secretKinds = linesOf('secret-kinds.txt').map((line) => {
  const [mark = '', kind, length] = /<([PWAH])(\d*)>/.exec(line) ?? []
  const value =
    kind === 'P'
      ? `Hunter${2}-x`
      : kind === 'W'
        ? `winter${'apple'}`
        : random(Number(length), kind === 'H' ? '0123456789abcdef' : letters)
  return { name: line, text: line.replaceAll(mark, value).replaceAll('¶', '\n'), value }
})

export const harmlessKinds = linesOf('harmless-kinds.txt').map((line) => line.replaceAll('¶', '\n'))
