// A text that is given only to who asks for it by name: no log, dump, message or inspection shows it.
import { createHash } from 'node:crypto'
import { secretMask } from './secret-shapes.ts'

/** Two with the same text are equal to `isDeepStrictEqual`; that they differ can be seen, and nothing else. */
export class SecretText {
  readonly #text: string
  /** The beginning of its SHA-256, in hexadecimal. */
  readonly fingerprint: string

  constructor(text: string) {
    this.#text = text
    this.fingerprint = createHash('sha256').update(text).digest('hex').slice(0, 8)
  }

  reveal(): string {
    return this.#text
  }

  toString(): string {
    return secretMask
  }

  toJSON(): string {
    return secretMask
  }
}
