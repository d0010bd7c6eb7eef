// Reading certificate and key files, each failure with its own words.
import { readFileSync } from 'node:fs'
import { type Problem, problem, type Where } from '../problems/problem.ts'
import { decodeText } from './pem.ts'

export type ReadFile = (file: string) => Uint8Array

/** `what` names the file's purpose in messages; `where` is the place in the configuration that names the file. */
export function readTextFile(
  file: string,
  what: string,
  readFile: ReadFile = readFileSync,
  where: Where = { file },
): { text?: string; problems: Problem[] } {
  try {
    return { text: decodeText(readFile(file)), problems: [] }
  } catch (cause) {
    return { problems: [unreadable(file, what, cause, where)] }
  }
}

function unreadable(file: string, what: string, cause: unknown, where: Where): Problem {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const options = { where, cause, details: { file } }
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return problem('TLS_FILE_MISSING', `the ${what} ${file} does not exist`, options)
  const why =
    code === 'EISDIR'
      ? 'it is a directory'
      : code === 'EACCES' || code === 'EPERM'
        ? 'this user may not read it'
        : code || String(cause)
  return problem('TLS_FILE_UNREADABLE', `the ${what} ${file} cannot be read: ${why}`, options)
}
