// Reads large XML answers while they arrive: a few values of each element, as many as are asked for, and nothing else.
// A parser that reads whole documents holds up the event loop for seconds where an answer has thousands of elements.

import { setImmediate } from 'node:timers/promises'

/** What is read of an element. `T` is what becomes of it. */
export type XmlElement<T> =
  | { kind: 'text'; of: (text: string) => T }
  | { kind: 'list'; item: XmlElement<unknown>; readonly type?: T }
  | { kind: 'fields'; fields: ReadonlyMap<string, Field>; readonly type?: T }

interface Field {
  name: string
  key: string
  element: XmlElement<unknown>
}

/** Its text, with its entities replaced. */
export const xmlText: XmlElement<string> = { kind: 'text', of: (text) => text }

/** Its text as a time. */
export const xmlDate: XmlElement<Date> = { kind: 'text', of: (text) => new Date(text) }

/** Elements named `item`, as EC2 has them. */
export function xmlList<T>(item: XmlElement<T>): XmlElement<T[]> {
  return { kind: 'list', item }
}

/** By the key of the result: the element's name, and what is read of it. Missing elements are missing keys. */
export function xmlFields<T>(
  fields: {
    [Key in keyof T]-?: readonly [name: string, element: XmlElement<NonNullable<T[Key]>>]
  },
): XmlElement<T> {
  const entries = Object.entries<readonly [string, XmlElement<unknown>]>(fields)
  return {
    kind: 'fields',
    fields: new Map(entries.map(([key, [name, element]]) => [name, { name, key, element }])),
  }
}

/** The document has another root or is not XML (`root`), ends too early (`truncated`), or is faulty (`unreadable`). */
export class XmlReadError extends Error {
  readonly kind: 'root' | 'truncated' | 'unreadable'

  constructor(kind: XmlReadError['kind'], message: string) {
    super(message)
    this.name = 'XmlReadError'
    this.kind = kind
  }
}

/** Bytes between two pauses that let other work run: about a millisecond of reading. */
const stretch = 262_144

/**
 * Reads the document whose root element has this name. Rejects with XmlReadError, or with what the stream fails with.
 * Attributes and comments are skipped; entities other than XML's own five and numbers stay as they are.
 */
export async function readXml<T>(
  body: AsyncIterable<Uint8Array>,
  root: string,
  element: XmlElement<T>,
): Promise<T> {
  const reader = new Reader(root, element)
  const decoder = new TextDecoder()
  let sincePause = 0
  for await (const chunk of body) {
    reader.feed(decoder.decode(chunk, { stream: true }))
    sincePause += chunk.byteLength
    if (sincePause < stretch) continue
    sincePause = 0
    await setImmediate()
  }
  reader.feed(decoder.decode())
  return reader.result() as T
}

/** An open element that is read, and where its value goes: into a list, or under a key. */
interface Frame {
  name: string
  element: XmlElement<unknown>
  value: Record<string, unknown> | unknown[]
  /** Where its text begins, for a text. */
  from: number
  into: Record<string, unknown> | unknown[]
  key: string
}

class Reader {
  readonly #root: string
  readonly #element: XmlElement<unknown>
  readonly #copies = new Map<string, string>()
  #text = ''
  #at = 0
  /** The end tag of an element that is skipped. */
  #skipTo: string | undefined
  readonly #frames: Frame[] = []
  readonly #result: unknown[] = []

  constructor(root: string, element: XmlElement<unknown>) {
    this.#root = root
    this.#element = element
  }

  feed(text: string): void {
    const frame = this.#frames.at(-1)
    // The beginning of a text is kept until its end is here.
    const keep = frame?.element.kind === 'text' ? frame.from : this.#at
    this.#text = this.#text.slice(keep) + text
    this.#at -= keep
    if (frame) frame.from -= keep
    while (this.#step());
  }

  result(): unknown {
    if (this.#frames.length > 0) throw new XmlReadError('truncated', `<${this.#root}> has no end`)
    if (this.#result.length === 0) throw new XmlReadError('root', `there is no <${this.#root}>`)
    return this.#result[0]
  }

  /** Reads up to the end of the next tag. Returns false when more has to arrive first. */
  #step(): boolean {
    if (this.#skipTo !== undefined) return this.#skip(this.#skipTo)
    const open = this.#text.indexOf('<', this.#at)
    if (open < 0) return false
    const mark = this.#text.charCodeAt(open + 1)
    if (Number.isNaN(mark)) return false
    if (mark === question) return this.#skipFrom(open, '?>')
    if (mark === bang) return this.#skipComment(open)
    const close = this.#text.indexOf('>', open)
    if (close < 0) return false
    this.#at = close + 1
    if (mark === slash) this.#end(open, this.#text.slice(open + 2, close))
    else this.#begin(this.#text.slice(open + 1, close))
    return true
  }

  #skipFrom(open: number, end: string): boolean {
    this.#at = open + 2
    this.#skipTo = end
    return true
  }

  #skipComment(open: number): boolean {
    if (this.#text.length < open + 4) return false
    if (this.#text.startsWith('<!--', open)) return this.#skipFrom(open, '-->')
    throw new XmlReadError(this.#frames.length > 0 ? 'unreadable' : 'root', 'it has a declaration or CDATA')
  }

  #skip(end: string): boolean {
    const found = this.#text.indexOf(end, this.#at)
    if (found < 0) {
      this.#at = Math.max(this.#at, this.#text.length - end.length + 1)
      return false
    }
    this.#at = found + end.length
    this.#skipTo = undefined
    return true
  }

  /** `tag` is what stands between `<` and `>`. */
  #begin(tag: string): void {
    const inner = this.#frames.at(-1)
    if (!inner) this.#beginRoot(tag)
    // Most tags have no attributes, and are names as they are.
    else if (!this.#open(inner, tag, false)) this.#beginOther(inner, tag)
  }

  #beginOther(inner: Frame, tag: string): void {
    const isEmpty = tag.endsWith('/')
    const name = nameOf(tag)
    if (name !== tag && this.#open(inner, name, isEmpty)) return
    if (!isEmpty) this.#skipTo = `</${name}>`
  }

  #beginRoot(tag: string): void {
    const name = nameOf(tag)
    if (this.#result.length > 0 || name !== this.#root)
      throw new XmlReadError('root', `<${name}> is not a <${this.#root}>`)
    this.#push(name, this.#element, this.#result, '', tag.endsWith('/'))
  }

  /** Returns whether an element of this name is read here. */
  #open({ element, value }: Frame, name: string, isEmpty: boolean): boolean {
    if (element.kind === 'list') {
      if (name !== 'item') return false
      this.#push(name, element.item, value, '', isEmpty)
      return true
    }
    const field = element.kind === 'fields' ? element.fields.get(name) : undefined
    if (!field) return false
    this.#push(field.name, field.element, value, field.key, isEmpty)
    return true
  }

  #push(
    name: string,
    element: XmlElement<unknown>,
    into: Frame['into'],
    key: string,
    isEmpty: boolean,
  ): void {
    const value = element.kind === 'list' ? [] : {}
    this.#frames.push({ name, element, value, into, key, from: this.#at })
    if (isEmpty) this.#end(this.#at, name)
  }

  #end(open: number, name: string): void {
    const frame = this.#frames.pop()
    if (frame?.name !== name && frame?.name !== name.trimEnd())
      throw new XmlReadError('unreadable', `</${name}> ends nothing that is open`)
    const { element, into, key, from } = frame
    const value = element.kind === 'text' ? element.of(this.#copy(from, open)) : frame.value
    if (Array.isArray(into)) into.push(value)
    else into[key] = value
  }

  /**
   * The text between two places, as a string of its own: a slice would keep the whole piece of the answer that it is from in
   * memory. Texts that occur again and again, such as tags, are the same string.
   */
  #copy(from: number, to: number): string {
    const text = unescaped(this.#text.slice(from, to))
    const known = this.#copies.get(text)
    if (known !== undefined) return known
    const copy = Buffer.from(text).toString()
    if (this.#copies.size < mostCopies) this.#copies.set(copy, copy)
    return copy
  }
}

const mostCopies = 10_000

/** Up to the first blank or slash. A regular expression takes a tenth of the time of a whole listing. */
function nameOf(tag: string): string {
  let end = 0
  for (; end < tag.length; end++) {
    const code = tag.charCodeAt(end)
    if (code <= blank || code === slash) break
  }
  return end === tag.length ? tag : tag.slice(0, end)
}

const [question, bang, slash, blank] = ['?', '!', '/', ' '].map((mark) => mark.charCodeAt(0)) as [
  number,
  number,
  number,
  number,
]

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescaped(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name) return named[name] ?? whole
    const code = hex ? Number.parseInt(hex, 16) : Number(decimal)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}
