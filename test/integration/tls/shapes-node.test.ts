// Every certificate shape behind a real TLS server, dialled by a real Node client with the contents of the rendered
// user data.
import { isIPv6 } from 'node:net'
import { createSecureContext } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { certificateShapes, clientTrust, judge } from '../../support/certificate-shapes.ts'
import { dialWithNode } from '../../support/shapes/node-client.ts'
import { serve } from '../../support/shapes/serve.ts'
import { expectedOf, type Made, type Verdict } from '../../support/shapes/shape.ts'

/** A client of Node 22 does not recognise an IPv6 address in a certificate. */
const oddities = (name = ''): Verdict[] =>
  Number(process.versions.node.split('.')[0]) < 24 && isIPv6(name) ? ['name'] : []

const cases = certificateShapes.map((shape) => ({ shape, name: shape.name, files: shape.make() }))

describe('a Node client that trusts only what the user data contains', () => {
  const dialled = cases.filter(({ shape, files }) => files.served && !shape.notForNode)

  test.concurrent.each(dialled)('$name', async ({ shape, files }) => {
    const { plan } = judge(shape, files)
    const serving = await serve(files.served!)
    try {
      const verdict = await dialWithNode(serving.port, await clientTrust(shape, files, plan))
      expect([...expectedOf(shape, 'node'), ...oddities(plan?.certificateName)]).toContain(verdict)
    } finally {
      serving.close()
    }
  })

  test('no accepted shape is refused', () => {
    const accepted = cases.filter(({ shape, files }) => judge(shape, files).plan)
    expect(
      accepted.filter(({ shape }) => shape.notForNode || expectedOf(shape, 'node').join() !== 'ok'),
    ).toEqual([])
  })
})

describe('a pair that no server can present is rejected', () => {
  test.each(cases.filter(({ files }) => !files.served))('$name', async ({ shape, files }) => {
    expect(judge(shape, files).plan).toBeUndefined()
    expect(await canServe(files)).toBe(false)
  })
})

/** Node silently accepts an EC certificate with an RSA key; then every handshake fails. */
async function canServe({ cert, key = '', anchors }: Made): Promise<boolean> {
  try {
    createSecureContext({ cert, key })
  } catch {
    return false
  }
  const serving = await serve({ cert, key })
  try {
    return (
      (await dialWithNode(serving.port, { anchorsPem: anchors, certificateName: 'master.example.com' })) ===
      'ok'
    )
  } finally {
    serving.close()
  }
}
