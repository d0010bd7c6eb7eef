// LocalStack in a Python virtual environment of its own.
import { join } from 'node:path'
import { pythonWith } from '../support/python.ts'

/** The environment's Python. The first time it is downloaded (some 80 packages, 250 MB, 20 s). */
export function installLocalStack(): Promise<string> {
  return pythonWith('localstack', join(import.meta.dirname, 'requirements.txt'))
}
