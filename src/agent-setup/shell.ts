// The one place where text becomes shell: quoted words and heredocs that no value can break out of.
import { ProvisionError, problem } from '../problems/problem.ts'

/** What no shell word or UTF-8 file can hold: NUL ends a C string, a lone surrogate has no UTF-8 form. */
export function isShellSafe(value: string): boolean {
  return !/\0|\p{Surrogate}/u.test(value)
}

/** One word, whatever it holds: nothing is special between single quotes (POSIX 2.2.2). */
export function quote(value: string): string {
  refuseUnsafe(value)
  return `'${value.replaceAll("'", "'\\''")}'`
}

/**
 * The end of a command line that hands `value` to the command's standard input, byte for byte; a last line without
 * its line end gets one. The delimiter is quoted, so nothing in the text is expanded (POSIX 2.7.4).
 */
export function heredoc(value: string): string {
  refuseUnsafe(value)
  const lines = new Set(value.split('\n'))
  let delimiter = 'END'
  for (let n = 2; lines.has(delimiter); n++) delimiter = `END${n}`
  const body = value === '' || value.endsWith('\n') ? value : `${value}\n`
  return `<<'${delimiter}'\n${body}${delimiter}`
}

function refuseUnsafe(value: string): void {
  if (isShellSafe(value)) return
  throw new ProvisionError(
    problem('USER_DATA_TEXT', 'a value holds a NUL character or half of a surrogate pair'),
  )
}
