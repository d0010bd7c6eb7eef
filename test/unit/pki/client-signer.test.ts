import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { authoritiesIn, isSignedByOneOf } from '../../../src/pki/client-signer.ts'
import { agentsCa } from '../../support/instance-certificates.ts'
import { testKey } from '../../support/test-keys.ts'
import { day, type Issued, now } from '../../support/x509.ts'
import { basicConstraints, keyUsage, purpose } from '../../support/x509-extensions.ts'
import { authority, type ServerSpec, server } from '../../support/x509-profiles.ts'

const root = authority('Root')
const client = (issuer?: Issued, spec: ServerSpec = {}) =>
  server(issuer, { names: null, purposes: [purpose.client], ...spec })
const read = (certificates: Issued[]) => certificates.map(({ der }) => new X509Certificate(der))

/** `sent`: what the client sends, its own certificate first. */
function isSigned(sent: Issued[], anchors: Issued[], at = now): boolean {
  return isSignedByOneOf(read(anchors), read(sent), at)
}

const below = authority('Below', { issuer: root })
const selfMade = client()
const further = authority('Further', { issuer: below })

describe('a certificate is signed by an authority', () => {
  it.each<[string, Issued[], Issued[]]>([
    ['directly', [client(root)], [root]],
    ['that is one of several', [client(root)], [authority('Other'), root]],
    ['over a CA that was sent', [client(below), below], [root]],
    ['over several in any order', [client(further), below, further], [root]],
    ['that is itself below another', [client(below)], [below]],
    ['that it is itself', [selfMade], [selfMade]],
  ])('%s', (_, sent, anchors) => {
    expect(isSigned(sent, anchors)).toBe(true)
  })
})

describe('a certificate is not signed by an authority', () => {
  const namesake = authority('Root', { key: testKey('p256', 'namesake'), ski: false })
  const notCa = authority('Below', { issuer: root, basic: basicConstraints({ ca: false }) })
  const cannotSign = authority('Below', { issuer: root, usage: keyUsage('digitalSignature') })
  const past = authority('Below', { issuer: root, notAfter: now - 1000 })
  const one = authority('One')
  const loop = [authority('Two', { issuer: one }), authority('One', { issuer: authority('Two') })]
  it.each<[string, Issued[], Issued[]]>([
    ['that has only the name of its issuer', [client(root, { aki: false })], [namesake]],
    ['without a path to it', [client(below)], [root]],
    ['over a certificate that is no CA', [client(notCa), notCa], [root]],
    ['over a CA that may not sign', [client(cannotSign), cannotSign], [root]],
    ['over a CA that has expired', [client(past), past], [root]],
    ['that has expired', [client(root)], [{ ...authority('Root', { notAfter: now - 1000 }) }]],
    ['if it has expired', [client(root, { notAfter: now - 1000 })], [root]],
    ['if it is for servers', [client(root, { purposes: [purpose.server] })], [root]],
    ['if there is none', [client(root)], []],
    ['over CAs that signed each other', [client(loop[0]!), ...loop], [root]],
    ['if nothing was sent', [], [root]],
  ])('%s', (_, sent, anchors) => {
    expect(isSigned(sent, anchors)).toBe(false)
  })

  it('outside its dates', () => {
    const own = client(root, { notBefore: now - day, notAfter: now + day })
    expect([-2, 0, 2].map((days) => isSigned([own], [root], now + days * day))).toEqual([false, true, false])
  })
})

it('a list of authorities knows whether CAs can be below them', () => {
  const listed = (...certificates: Issued[]) => authoritiesIn(certificates.map(({ pem }) => pem).join(''))
  expect(listed(agentsCa)).toMatchObject({ haveNoCaBelow: true, certificates: [{ subject: 'CN=Agents CA' }] })
  expect(listed(agentsCa, root).haveNoCaBelow).toBe(false)
  expect(listed(root).haveNoCaBelow).toBe(false)
})
