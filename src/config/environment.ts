// Environment variables that win over the file (origin: determined-master/init.go).
import { resolve } from 'node:path'
import { type Problem, problem } from '../problems/problem.ts'
import { shown } from './mask.ts'
import type { Overrides } from './master.ts'

/** Empty variables count as unset. Relative paths start from the working directory: they are not the file's. */
export function overridesOf(env: Record<string, string | undefined>): Overrides & { problems: Problem[] } {
  const cert = env['DET_SECURITY_TLS_CERT']
  const key = env['DET_SECURITY_TLS_KEY']
  const port = env['DET_PORT']
  const files = { ...(cert && { cert: resolve(cert) }), ...(key && { key: resolve(key) }) }
  if (!port) return { ...files, problems: [] }
  const number = /^\d{1,5}$/.test(port) ? Number(port) : Number.NaN
  if (number <= 65_535) return { ...files, ...(number > 0 && { port: number }), problems: [] }
  const fault = problem('CONFIG_ENVIRONMENT', `DET_PORT must be a port number, but is ${shown(port)}`, {
    where: { file: 'DET_PORT' },
  })
  return { ...files, problems: [fault] }
}
