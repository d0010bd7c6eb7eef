// Finds secrets that one pattern cannot: the users and passwords of a list for `chpasswd`, line by line, and secrets
// within base64.
import type { FoundSecret } from './secret-shapes.ts'
import { isCommandSecret } from './secret-values.ts'

/** Where a list begins: `chpasswd:` of cloud-init, `chpasswd <<EOF`, `cat <<EOF | chpasswd`. */
const listBegin =
  /^(?<indent>[ \t]*)(?:- +)?chpasswd:[ \t]*\r?\n|\b(?:chpasswd|newusers)\b[^\n|;<]{0,60}<<-?\s{0,4}["']?(?<after>\w{1,40})["']?[^\n]{0,60}\n|<<-?[ \t]{0,4}["']?(?<before>\w{1,40})["']?[ \t]*\|[^\n]{0,60}\b(?:chpasswd|newusers)\b[^\n]{0,60}\n/gm
/** `printf 'a:b\nc:d\n' | chpasswd`. */
const listPrinted =
  /\b(?:echo|printf)\s(?<list>[^\n|]{1,1000})\|\s{0,8}(?:sudo\s{1,4})?(?:\S{0,40}\/)?(?:chpasswd|newusers)\b/g
/** A user and a password; `R` and `RANDOM` let cloud-init choose one. */
const pair = /^[ \t]*(?:- *)?["']?[\w.@-]{1,40}:(?!RANDOM\b|R$)([^\s"':#][^\s"':]{2,200})/
const printedPair = /(?<=["'\s]|\\n)[\w.@-]{1,40}:([^\s"'\\:]{3,200})/g

/** The passwords of lists of users. A list is read once, so that the time grows with the length of the text. */
export function listedPasswords(text: string): FoundSecret[] {
  const found: FoundSecret[] = []
  const add = (start: number, value: string) => {
    if (isCommandSecret({ text: value, quote: '' }))
      found.push({ what: 'a password of a user', certain: false, start, end: start + value.length })
  }
  listBegin.lastIndex = 0
  for (let begin = listBegin.exec(text); begin; begin = listBegin.exec(text)) {
    const { indent, after, before } = begin.groups ?? {}
    const word = after ?? before
    let start = begin.index + begin[0].length
    while (start < text.length) {
      const lineEnd = text.indexOf('\n', start)
      const next = lineEnd < 0 ? text.length : lineEnd + 1
      const line = text.slice(start, Math.min(next, start + 400)).trimEnd()
      if (word === undefined ? !isWithin(line, indent ?? '') : line.trim() === word) break
      const match = pair.exec(line)
      // `expire: false` and `list: |` have a space after the colon.
      if (match?.[1]) add(start + match[0].length - match[1].length, match[1])
      start = next
    }
    listBegin.lastIndex = Math.max(start, begin.index + begin[0].length)
  }
  for (const printed of text.matchAll(listPrinted)) {
    const list = printed.groups?.list ?? ''
    const first = printed.index + printed[0].indexOf(list)
    for (const { index, 0: all, 1: value = '' } of list.matchAll(printedPair))
      add(first + index + all.length - value.length, value)
  }
  return found
}

/** A line of a block of YAML below a key with that indent. */
function isWithin(line: string, indent: string): boolean {
  return line.trim() === '' || (line.startsWith(indent) && /[ \t-]/.test(line.charAt(indent.length)))
}

/** Base64 of at least 24 characters, also wrapped over several lines. */
const base64 =
  /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/]{20,}(?:\r?\n[ \t]{0,40}[A-Za-z0-9+/]{4,})*={0,2}(?![A-Za-z0-9_-])/g

/** Where base64 of a text stands, and the text. What is not ASCII text is left out after its first bytes. */
export function decodedTexts(text: string): { start: number; end: number; decoded: string }[] {
  const decoded: { start: number; end: number; decoded: string }[] = []
  for (const { index, 0: run } of text.matchAll(base64)) {
    if (run.length < 24 || !isText(Buffer.from(run.slice(0, 64), 'base64').subarray(0, -2))) continue
    const bytes = Buffer.from(run, 'base64')
    if (isText(bytes))
      decoded.push({ start: index, end: index + run.length, decoded: bytes.toString('latin1') })
  }
  return decoded
}

function isText(bytes: Buffer): boolean {
  return bytes.every(
    (byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09,
  )
}
