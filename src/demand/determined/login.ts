// Who we are to the master: a token from a file, or one it gives us for a user and password. Files are read at each login.
import { readFileSync, statSync } from 'node:fs'
import type { DemandConfig } from '../../config/master-config.ts'
import { type Problem, ProvisionError, problem } from '../../problems/problem.ts'

export type Credentials = { token: string } | { username: string; password: string }

type LoginFiles = Pick<DemandConfig, 'user' | 'password_file' | 'token_file'>

/** Throws DETERMINED_LOGIN_FILE. The problem never quotes what is in the file. */
export function readCredentials({ user, password_file, token_file }: LoginFiles): Credentials {
  if (token_file !== undefined) {
    const token = read(token_file).trim()
    if (/^[\x21-\x7e]+$/.test(token)) return { token }
    throw new ProvisionError(problem('DETERMINED_LOGIN_FILE', `${token_file} does not hold a token`))
  }
  if (user !== undefined && password_file !== undefined)
    // The end of the line is the editor's; an empty password is one, too.
    return { username: user, password: read(password_file).replace(/\r?\n$/, '') }
  throw new ProvisionError(
    problem('DETERMINED_LOGIN_FILE', 'no login is configured', {
      remedy: 'Set demand.user and demand.password_file, or demand.token_file.',
    }),
  )
}

/** Warns of a file that everybody can read. */
export function fileWarnings({ password_file, token_file }: LoginFiles): Problem[] {
  const file = token_file ?? password_file
  if (file === undefined) return []
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & 0o004) === 0) return []
  const octal = (mode & 0o777).toString(8).padStart(4, '0')
  return [problem('DETERMINED_LOGIN_FILE_OPEN', `${file} can be read by everybody (mode ${octal})`)]
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const message = `${file} cannot be read: ${(cause as Error).message}`
    throw new ProvisionError(problem('DETERMINED_LOGIN_FILE', message, { cause }))
  }
}
