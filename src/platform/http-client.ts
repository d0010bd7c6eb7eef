// What our own HTTP clients share: bounded answers, and what it is called when there is none.
import type { IncomingMessage } from 'node:http'

/** The whole body as text. Rejects when it is longer than `longest` bytes, or the connection breaks. */
export async function readAll(response: IncomingMessage, longest: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > longest) throw new Error(`the answer is longer than ${longest} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** As a socket says it. */
export function timedOut(ms: number): NodeJS.ErrnoException {
  return Object.assign(new Error(`no answer within ${ms / 1000} s`), { code: 'ETIMEDOUT' })
}
