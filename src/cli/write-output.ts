// Files a command was asked to write: readable by their owner only, since user data may hold what others should not see.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ProvisionError, problem } from '../problems/problem.ts'

/** Throws FILE_NOT_WRITTEN. An existing file is replaced. */
export function writeOutput(file: string, data: string | Uint8Array): void {
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, data, { mode: 0o600 })
  } catch (cause) {
    throw new ProvisionError(problem('FILE_NOT_WRITTEN', `${file}: ${(cause as Error).message}`, { cause }))
  }
}
