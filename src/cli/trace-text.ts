// The text of a trace, from a file or standard input, before anybody looks what is in it.
import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { ProvisionError, problem } from '../problems/problem.ts'

const largestFile = 64 * 1024 * 1024

/** `-` is standard input. Throws TRACE_UNREADABLE, TRACE_TOO_LARGE or TRACE_NOT_CSV. */
export async function readTraceText(jobs: string, cwd: string): Promise<{ text: string; name: string }> {
  const name = jobs === '-' ? 'standard input' : jobs
  const where = { file: name }
  const parts: Buffer[] = []
  let size = 0
  try {
    for await (const part of jobs === '-' ? process.stdin : createReadStream(resolve(cwd, jobs))) {
      parts.push(part)
      size += part.length
      if (size > largestFile) break
    }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
    const why = code === 'ENOENT' ? 'There is no such file' : `The file cannot be read (${code})`
    throw new ProvisionError(problem('TRACE_UNREADABLE', why, { where, cause }))
  }
  if (size > largestFile)
    throw new ProvisionError(problem('TRACE_TOO_LARGE', 'The trace has more than 64 MiB', { where }))
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    return { text: decoder.decode(Buffer.concat(parts)), name }
  } catch (cause) {
    throw new ProvisionError(problem('TRACE_NOT_CSV', 'The file is not UTF-8 text', { where, cause }))
  }
}
