// What only the cloud or the machine can tell: known at launch, shown as placeholders by a dry run.

import { type Problem, problem } from '../../problems/problem.ts'
import type { GcpConfig } from './rules.ts'

/** Each undefined until it has been asked for. */
export interface GcpFacts {
  project?: string
  zone?: string
  /** The master's instance name cut to 30 characters, or `determined-ai-determined`. */
  identity?: string
  /** Every zone of the regions of the pool's zones. */
  zones?: string[]
  /** The text of the metadata value `startup-script`. */
  startupScript?: string
}

export interface SettledFacts extends Required<Omit<GcpFacts, 'zones'>> {
  zones?: string[]
}

/** Facts, else the file's words, else a placeholder in `<>`; one warning names every placeholder but the script. */
export function settleFacts(
  config: GcpConfig,
  facts: GcpFacts,
): { facts: SettledFacts; problems: Problem[] } {
  const unknown: string[] = []
  const orPlaceholder = (
    known: string | undefined,
    needed: boolean,
    name: string,
    placeholder: string,
  ): string => {
    if (known !== undefined) return known
    if (needed) unknown.push(`${name} ${placeholder}`)
    return placeholder
  }
  const needsIdentity = config.label_value === undefined || config.name_prefix === undefined
  const settled: SettledFacts = {
    project: orPlaceholder(config.project ?? facts.project, true, 'project', "<the master's own project>"),
    zone: orPlaceholder(config.zone ?? facts.zone, !config.zones.length, 'zone', "<the master's own zone>"),
    identity: orPlaceholder(
      facts.identity,
      needsIdentity,
      config.label_value === undefined ? `label ${config.label_key} and names` : 'names',
      "<the master's instance name, or determined-ai-determined>",
    ),
    startupScript: facts.startupScript ?? '<user data>',
    ...(facts.zones ? { zones: facts.zones } : {}),
  }
  if (config.zones.length > 1 && !facts.zones)
    unknown.push('the zones of the region that are not named and will be denied')
  if (!unknown.length) return { facts: settled, problems: [] }
  const message = `the request has values that only Google Cloud can tell: ${unknown.join(', ')}`
  return { facts: settled, problems: [problem('REQUEST_UNKNOWN_OFFLINE', message, { details: { unknown } })] }
}
