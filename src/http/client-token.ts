// The token that lets this command change things: read where the master keeps it, never made.
import { readFileSync } from 'node:fs'
import { type Problem, problem } from '../problems/problem.ts'

/** The token, or why there is none. */
export type TokenChoice = { token: string } | { missing: Problem }

export function readToken(file: string): TokenChoice {
  try {
    const token = readFileSync(file, 'utf8').trim()
    // What no header may hold would end in a message that quotes it.
    if (/^[\x21-\x7e]+$/.test(token)) return { token }
    return { missing: problem('CLIENT_TOKEN_MISSING', `${file} does not hold a token`) }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT')
      return {
        missing: problem('CLIENT_TOKEN_MISSING', `there is no token at ${file}`, {
          remedy: 'The master makes it at its first start; elsewhere name a copy of it with --token-file.',
          cause,
        }),
      }
    return { missing: problem('CLIENT_TOKEN_MISSING', `the token cannot be read: ${message}`, { cause }) }
  }
}
