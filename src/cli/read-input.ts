// Files named on the command line.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { ProvisionError, problem } from '../problems/problem.ts'

/** `-` is standard input. Throws FILE_UNREADABLE. */
export async function readInput(file: string, cwd: string): Promise<Buffer> {
  try {
    // Not by its number: a pipe that has nothing to say yet answers EAGAIN to that.
    return await (file === '-' ? buffer(process.stdin) : readFile(resolve(cwd, file)))
  } catch (error) {
    const why = `${file === '-' ? 'standard input' : file} cannot be read: ${(error as Error).message}`
    throw new ProvisionError(problem('FILE_UNREADABLE', why, { cause: error }))
  }
}
