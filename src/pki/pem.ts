// Reads PEM files: every block with its line, its faults, and what other parsers cannot read.
import { isUtf8 } from 'node:buffer'
import { DerError, readDer } from './der.ts'

export interface PemBlock {
  /** As in `BEGIN <label>`. */
  label: string
  /** Counts from 1 over all blocks of the file. */
  number: number
  /** Line of its BEGIN, from 1. */
  line: number
  /** Empty when there is a fault. */
  der: Buffer
  /** Why the block cannot be used; never quotes its content. */
  fault?: string
  /** Repaired while reading, but unreadable for some TLS libraries. */
  untidy: string[]
  /** RFC 1421 headers inside the block, such as `Proc-Type` of an encrypted key. */
  headers: string[]
}

export interface PemFile {
  blocks: PemBlock[]
  /** Repaired while reading, for the file as a whole. */
  untidy: string[]
}

/** Fault of a block that was copied from JSON, a Helm value or an environment variable. */
export const literalLineEnds = 'its line ends are written as \\n instead of being line ends'

const marker = /-----(BEGIN|END) ([A-Z0-9 ]+?)-----/g
const base64 = /^[A-Za-z0-9+/]+={0,2}$/

/** Text of a file; Windows tools write PEM as UTF-16 too. */
export function decodeText(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer[0] === 0xff && buffer[1] === 0xfe) return buffer.toString('utf16le')
  if (buffer[0] === 0xfe && buffer[1] === 0xff)
    return Buffer.from(buffer.subarray(0, buffer.length & ~1))
      .swap16()
      .toString('utf16le')
  // Of a binary file each byte becomes a character, so that its kind can still be found.
  const isText = isUtf8(buffer) && !buffer.includes(0)
  return buffer.toString(isText || buffer.includes('-----BEGIN ') ? 'utf8' : 'latin1')
}

/** Every BEGIN … END block of the text, in order. Never throws. */
export function readPem(text: string): PemFile {
  const marks = [...text.matchAll(marker)]
  const lines = lineCounter(text)
  const blocks: PemBlock[] = []
  for (let i = 0; i < marks.length; i++) {
    const begin = marks[i]!
    const end = marks[i + 1]
    const found = { label: begin[2]!, number: blocks.length + 1, line: lines(begin.index) }
    const broken = (fault: string) =>
      blocks.push({ ...found, der: Buffer.alloc(0), fault, untidy: [], headers: [] })
    if (begin[1] === 'END') broken('it has an END line without its BEGIN line')
    else if (end?.[1] !== 'END') broken('it is cut off: its END line is missing')
    else {
      i++
      if (end[2] !== begin[2]) broken(`it begins as ${begin[2]} and ends as ${end[2]}`)
      else blocks.push({ ...found, ...readBody(text, begin, end) })
    }
  }
  return { blocks, untidy: untidyText(text) }
}

function readBody(text: string, begin: RegExpExecArray, end: RegExpExecArray) {
  const raw = text.slice(begin.index + begin[0].length, end.index)
  const headers: string[] = []
  const body = raw
    .replace(/^[ \t]*[A-Za-z-]+:.*$/gm, (header) => {
      headers.push(header.trim())
      return ''
    })
    .replace(/\s+/g, '')
  const found = {
    der: Buffer.alloc(0),
    untidy: untidyBlock(text, begin, raw, headers.length > 0),
    headers,
  }
  if (body === '') return { ...found, fault: 'it is empty' }
  if (/\\[nr]/.test(body)) return { ...found, fault: literalLineEnds }
  if (!base64.test(body) || body.length % 4 !== 0) return { ...found, fault: 'it is not valid base64' }
  const der = Buffer.from(body, 'base64')
  try {
    const element = readDer(der)
    // OpenSSL's TRUSTED CERTIFICATE appends trust settings to the certificate.
    if (begin[2] === 'TRUSTED CERTIFICATE' || element.bytes.length === der.length)
      return { ...found, der: element.bytes }
    return { ...found, fault: `${der.length - element.bytes.length} bytes follow its content` }
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    // A legacy encrypted key is not DER before it is decrypted.
    if (headers.length > 0) return { ...found, der }
    return { ...found, fault: `its content is not DER: it ${error.message}` }
  }
}

/** Format faults of one block that the PEM readers of Go, OpenSSL or Python do not accept. */
function untidyBlock(text: string, begin: RegExpExecArray, body: string, headers: boolean): string[] {
  // 200 characters are enough for the line before it, without searching the whole file for each block.
  const before = text.slice(Math.max(0, begin.index - 200), begin.index).replace(/^\uFEFF/, '')
  const lineStart = before.slice(Math.max(before.lastIndexOf('\n'), before.lastIndexOf('\r')) + 1)
  const untidy: string[] = []
  if (begin[2] !== 'CERTIFICATE' && begin[2]!.endsWith('CERTIFICATE')) untidy.push(`BEGIN ${begin[2]}`)
  if (headers) untidy.push('header lines inside the block')
  if (/-----$/.test(lineStart)) untidy.push('BEGIN on the line of the END before')
  else if (lineStart !== '' || /[\r\n][ \t]+(\S|$)/.test(body)) untidy.push('indented lines')
  if (!headers && /\n[ \t]*\r?\n[ \t]*\S/.test(body)) untidy.push('blank lines inside the block')
  return untidy
}

function untidyText(text: string): string[] {
  const untidy: string[] = []
  if (text.startsWith('\uFEFF')) untidy.push('a byte order mark')
  if (/\r(?!\n)/.test(text)) untidy.push('line ends of CR only')
  if (/[^\x00-\x7f]/.test(text.replace(/^\uFEFF/, ''))) untidy.push('characters outside ASCII')
  return untidy
}

/** Returns a function from offset to line number, for ascending offsets. Counts CRLF, LF and CR. */
function lineCounter(text: string): (offset: number) => number {
  const breaks = /\r\n|\n|\r/g
  let line = 1
  let next = breaks.exec(text)
  return (offset) => {
    for (; next && next.index < offset; next = breaks.exec(text)) line++
    return line
  }
}
