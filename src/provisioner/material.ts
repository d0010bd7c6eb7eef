// The files a configuration names, read once for all pools.
import { readFileSync } from 'node:fs'
import type { UserTemplate } from '../agent-setup/user-template.ts'
import type { MasterConfig } from '../config/master-config.ts'
import type { ProviderConfig } from '../config/provider-config.ts'
import { loadMaterial, type TlsMaterial } from '../pki/credentials.ts'
import { type Problem, problem } from '../problems/problem.ts'

export interface MaterialOptions {
  /** Milliseconds since the epoch. */
  now: number
  /** Only a process that serves with the key reads it; left out: the built-in master does. */
  withKey?: boolean
}

/** `security.tls.cert`, with its key when asked for; nothing and no problem when TLS is not configured. */
export function loadMasterMaterial(
  { file, security, demand }: MasterConfig,
  { now, withKey = demand.type === 'built-in' }: MaterialOptions,
): { material?: TlsMaterial; problems: Problem[] } {
  const files = security.tls
  if (!files) return { problems: [] }
  const where = {
    cert: { file, path: 'security.tls.cert' },
    key: { file, path: 'security.tls.key' },
  }
  return loadMaterial({ certFile: files.cert, keyFile: withKey ? files.key : undefined }, { now, where })
}

/** The pool's own template, when it names one. */
export function loadTemplate(provider: ProviderConfig): { template?: UserTemplate; problems: Problem[] } {
  const name = provider.agent_setup_template
  if (!name) return { problems: [] }
  try {
    return { template: { name, text: readFileSync(name, 'utf8') }, problems: [] }
  } catch (cause) {
    const message = `agent_setup_template cannot be read: ${(cause as Error).message}`
    return { problems: [problem('TEMPLATE_UNREADABLE', message, { where: { file: name }, cause })] }
  }
}
