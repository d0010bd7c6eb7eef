// Every certificate shape as an untrusted one: whatever the user is asked about works after a yes, everything else is
// explained.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { remember, type Target, targetByUrl } from '../../../src/http/target.ts'
import { probeTrust } from '../../../src/http/untrusted-server.ts'
import { ProvisionError } from '../../../src/problems/index.ts'
import { certificateShapes, judge } from '../../support/certificate-shapes.ts'
import { serve } from '../../support/shapes/serve.ts'
import { type Client, expectedOf, type Shape, type Verdict } from '../../support/shapes/shape.ts'
import { masterName } from '../../support/x509-profiles.ts'

const dir = mkdtempSync(join(tmpdir(), 'strangers-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const served = certificateShapes
  .map((shape) => ({ shape, name: shape.name, files: shape.make() }))
  .filter(({ files }) => files.served)

describe('an untrusted master', () => {
  test.concurrent.each(served)('$name', async ({ shape, files }) => {
    const { plan } = judge(shape, files)
    const name = plan ? (plan.certificateName ?? '127.0.0.1') : (shape.dialName ?? masterName)
    const serving = await serve(files.served!)
    const env = { DET_DEBUG_CONFIG_PATH: join(dir, String(serving.port)), DET_MASTER_CERT_NAME: name }
    const target = () => targetByUrl(`https://127.0.0.1:${serving.port}`, { env })
    try {
      const probe = await meeting(target())
      expect(probe.said).toBe(expectedFor(shape))
      if (!probe.pem) return
      await remember(target().trust!, probe.pem)
      expect((await meeting(target())).said).toBe('trusted')
    } finally {
      serving.close()
    }
  })
})

/** `stranger`, `trusted` or the code of the refusal. */
async function meeting(target: Target): Promise<{ said: string; pem?: string }> {
  try {
    const probe = await probeTrust(target)
    return 'trusted' in probe ? { said: 'trusted' } : { said: 'stranger', pem: probe.untrusted.pem }
  } catch (error) {
    if (error instanceof ProvisionError) return { said: error.code ?? '' }
    throw error
  }
}

/** Offers what Go offers, and compares names as Go and OpenSSL both do; the rest depends on Node. */
function expectedFor(shape: Shape): string {
  const says = (verdict: Verdict, ...whom: Client[]) =>
    whom.some((client) => expectedOf(shape, client).join() === verdict)
  // Go ignores the extensions of version 1, and the name with them; this client, like Node, reads them.
  if (shape.name === 'leaf of version 1 with extensions') return 'stranger'
  if (says('handshake', 'node', 'go')) return 'CLIENT_TLS_REFUSED'
  if (says('name', 'node', 'python', 'go')) return 'CLIENT_CERT_NAME'
  return says('ok', 'node') || says('untrusted', 'node') ? 'stranger' : 'CLIENT_CERT_UNUSABLE'
}
