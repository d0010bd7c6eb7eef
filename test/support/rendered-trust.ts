// The trust of an agent: read only from the user data of a VM.

import { mergeAgentConfig } from '../../src/agent-setup/agent-config.ts'
import { packUserData, unpackUserData } from '../../src/agent-setup/pack.ts'
import { renderScript } from '../../src/agent-setup/render.ts'
import type { TrustPlan } from '../../src/pki/trust-plan.ts'
import { agentSetup } from './agent-setups.ts'

const heredoc = /^write_file \/usr\/local\/determined\/master\.crt \d+ <<'(\S+)'\n([\s\S]*?)^\1$/m
const name = /^export DET_SECURITY_TLS_MASTER_CERT_NAME='([^']*)'$/m

/** Renders, packs and unpacks the user data of an EC2 agent with this plan, then reads its certificate file and name. */
export async function renderedTrust(
  trust: TrustPlan,
): Promise<{ anchorsPem: string; certificateName?: string }> {
  const { config } = mergeAgentConfig({}, trust)
  const setup = agentSetup({ trust: { certificateName: undefined, ...trust }, agentConfig: config })
  const { script, problems } = await renderScript(setup)
  if (script === undefined) throw new Error(JSON.stringify(problems))
  const { userData } = await packUserData(script, setup)
  const received = await unpackUserData(userData!.packed)
  return { anchorsPem: heredoc.exec(received)?.[2] ?? '', certificateName: name.exec(received)?.[1] }
}
