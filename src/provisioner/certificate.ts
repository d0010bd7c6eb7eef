// Rows about the certificate this configuration serves with, or has agents trust.
import type { MasterConfig } from '../config/master-config.ts'
import { pathFacts } from '../pki/credentials.ts'
import type { Problem } from '../problems/problem.ts'
import { loadMasterMaterial } from './material.ts'
import { type CheckRow, rowsOf } from './row.ts'

const dayMs = 86_400_000

/** @param now milliseconds since the epoch */
export function checkCertificate(config: MasterConfig, now: number): CheckRow[] {
  const { passed, notChecked, of } = rowsOf('certificate')
  const files = config.security.tls
  if (!files)
    return [
      notChecked('chain', 'security.tls is not set: agents trust what the pools say, if they dial https'),
    ]
  const { material, problems } = loadMasterMaterial(config, { now })
  const faults = problems.map((problem) => of(isAboutKey(problem) ? 'key' : 'chain', problem))
  if (!material) return faults
  const facts = pathFacts(material.path)
  const end = Math.min(...facts.map(({ notAfter }) => Date.parse(notAfter)))
  const days = Math.floor((end - now) / dayMs)
  const chain = facts.map(({ role }) => role).join(', ')
  const found = [passed('chain', `${facts[0]!.subject}: ${chain}; all valid for ${days} more days`)]
  if (material.key) found.push(passed('key', `${files.key} fits the certificate`))
  else found.push(notChecked('key', 'this process does not serve with it'))
  return [...found, ...faults]
}

function isAboutKey({ code, where }: Problem): boolean {
  return code.startsWith('TLS_KEY_') || where?.path === 'security.tls.key'
}
