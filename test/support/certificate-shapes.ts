// Every known certificate shape of users, with our verdict and that of real TLS clients.

import { planTrust } from '../../src/agent-setup/trust.ts'
import { parseTlsCredentials } from '../../src/pki/credentials.ts'
import type { TrustPlan } from '../../src/pki/trust-plan.ts'
import type { Problem } from '../../src/problems/index.ts'
import { renderedTrust } from './rendered-trust.ts'
import { chainShapes } from './shapes/chains.ts'
import { fileShapes } from './shapes/files.ts'
import { keyShapes } from './shapes/keys.ts'
import { nameShapes } from './shapes/names.ts'
import type { Made, Shape } from './shapes/shape.ts'
import { usageShapes } from './shapes/usage.ts'
import { now } from './x509.ts'
import { masterName } from './x509-profiles.ts'

export const certificateShapes: Shape[] = [
  ...keyShapes,
  ...chainShapes,
  ...fileShapes,
  ...nameShapes,
  ...usageShapes,
]

/** Our verdict on a shape. */
export function judge(shape: Shape, files: Made = shape.make()): { plan?: TrustPlan; problems: Problem[] } {
  const { material, problems } = parseTlsCredentials(files.cert, files.key, { now })
  if (!material) return { problems }
  const { address, options, certificateName = '', roots = () => [] } = shape.ask ?? {}
  const planned = planTrust({
    address: { scheme: 'https', host: '10.0.0.5', port: 8443, ...address },
    options: { trust: 'auto', allow_ip_only: false, ...options },
    certificateName,
    material,
    now,
    roots,
  })
  return { ...planned, problems: [...problems, ...planned.problems] }
}

/** What a client gets for its dial: the contents of the user data, or what they would have been if there are none. */
export async function clientTrust(shape: Shape, files: Made, plan: TrustPlan | undefined) {
  if (!plan) return { anchorsPem: files.anchors, certificateName: shape.dialName ?? masterName }
  const { anchorsPem, certificateName } = await renderedTrust(plan)
  // Without a name in the user data agents verify the address they dial; with `system` they use their own CAs.
  return { anchorsPem: plan.mode === 'embed' ? anchorsPem : files.anchors, certificateName }
}
