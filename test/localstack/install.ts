// LocalStack in its own Python virtual environment.
import { join } from 'node:path'
import { pythonWith } from '../support/python.ts'

/** The Python of the environment, which is downloaded the first time (some 80 packages, 250 MB, 20 s). */
export function installLocalStack(): Promise<string> {
  return pythonWith('localstack', join(import.meta.dirname, 'requirements.txt'))
}
