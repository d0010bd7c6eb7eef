// The token that lets a client change things: one line in a file only its owner can read.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { writeFileAtomic } from '../platform/files.ts'
import { ProvisionError, problem } from '../problems/problem.ts'

/**
 * Reads the token, or makes one (256 bits) when there is no such file. Throws a ProvisionError when the file is empty,
 * cannot be read or written, or is open to other users.
 */
export function loadToken(file: string): string {
  try {
    const mode = statSync(file).mode & 0o777
    if (mode & 0o077)
      throw new ProvisionError(
        problem(
          'TOKEN_FILE_OPEN',
          `${file} can be read or written by others (mode ${mode.toString(8).padStart(4, '0')})`,
          {
            remedy: `chmod 600 ${file}, and replace the token if others may have read it.`,
          },
        ),
      )
    const token = readFileSync(file, 'utf8').trim()
    if (token.length >= 16) return token
    throw new ProvisionError(
      problem('TOKEN_FILE_UNUSABLE', `${file} holds no token of at least 16 characters`, {
        remedy: `Delete ${file}: a new token is made at the next start.`,
      }),
    )
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return makeToken(file)
    throw error instanceof ProvisionError ? error : unusable(file, error as Error)
  }
}

function makeToken(file: string): string {
  const token = randomBytes(32).toString('base64url')
  try {
    writeFileAtomic(file, `${token}\n`, 0o600)
  } catch (error) {
    throw unusable(file, error as Error)
  }
  return token
}

function unusable(file: string, cause: Error): ProvisionError {
  return new ProvisionError(problem('TOKEN_FILE_UNUSABLE', `${file}: ${cause.message}`, { cause }))
}

/** Takes the same time whatever is offered. */
export function sameToken(offered: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(offered), digest(token))
}
