// CA certificates that clients are known by.

import { readTextFile } from '../pki/files.ts'
import { isError, ProvisionError, type Where } from '../problems/problem.ts'

/** PEM. Throws a ProvisionError when the file cannot be read. */
export function readClientCa(path: string, where: Where): string | undefined {
  const { text, problems } = readTextFile(path, 'client CA file', undefined, where)
  if (problems.some(isError)) throw new ProvisionError(problems)
  return text
}
