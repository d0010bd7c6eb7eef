// From what a cloud shows for a VM back to the script: the reverse of pack.ts.
import { ProvisionError, problem } from '../problems/problem.ts'
import { fromGzipStub } from './gzip-stub.ts'

/** Bytes a script may have once unpacked: far above any limit, far below what hurts. */
const mostBytes = 16 * 1024 * 1024
const base64 = /^[A-Za-z0-9+/]+={0,2}$/

/**
 * The script in user data: packed bytes, or the base64 text that `describe-instance-attribute` shows, in any encoding
 * of ours. Throws `USER_DATA_UNREADABLE`.
 */
export async function unpackUserData(input: Uint8Array | string): Promise<string> {
  let bytes: Uint8Array = typeof input === 'string' ? Buffer.from(input) : input
  // Base64 around gzip around the script is the deepest nesting there is.
  for (let layer = 0; layer < 3; layer++) {
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
      bytes = await gunzip(bytes)
      continue
    }
    const text = utf8(bytes)
    if (text?.startsWith('#!')) {
      const stubbed = fromGzipStub(text)
      return stubbed ? unpackUserData(stubbed) : text
    }
    const packed = text?.replace(/\s+/g, '')
    if (!packed || !base64.test(packed)) break
    bytes = Buffer.from(packed, 'base64')
  }
  throw unreadable('neither a script, nor gzip, nor base64 of one')
}

async function gunzip(bytes: Uint8Array): Promise<Uint8Array> {
  const { gunzipSync } = await import('node:zlib')
  try {
    return gunzipSync(bytes, { maxOutputLength: mostBytes })
  } catch (cause) {
    throw unreadable(`the compressed part is damaged or too large (${(cause as Error).message})`, cause)
  }
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function unreadable(why: string, cause?: unknown): ProvisionError {
  return new ProvisionError(problem('USER_DATA_UNREADABLE', `this is not user data: ${why}`, { cause }))
}
