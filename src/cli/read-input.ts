// Files named on the command line.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ProvisionError, problem } from '../model/problem.ts'

/** `-` is standard input. Throws FILE_UNREADABLE. */
export function readInput(file: string, cwd: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : resolve(cwd, file))
  } catch (error) {
    const why = `${file === '-' ? 'standard input' : file} cannot be read: ${(error as Error).message}`
    throw new ProvisionError(problem('FILE_UNREADABLE', why, { cause: error }))
  }
}
