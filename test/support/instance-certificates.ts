// Client certificates in the form of the agents' CA: the common name is the instance's id, a URI names it again.
import { testKey } from './test-keys.ts'
import { day, type Issued, now } from './x509.ts'
import { basicConstraints, purpose, uri } from './x509-extensions.ts'
import { authority, type ServerSpec, server } from './x509-profiles.ts'

/** It has no CAs below it. */
export const agentsCaSpec = { basic: basicConstraints({ ca: true, pathLength: 0 }) }
export const agentsCa = authority('Agents CA', agentsCaSpec)

/** The certificate and key of an instance, as PEM. */
export function instanceCertificate(
  id: string,
  issuer: Issued = agentsCa,
  spec: ServerSpec = {},
): { cert: string; key: string } {
  const { pem, key } = server(issuer, {
    subject: id,
    key: testKey('p256', `instance ${id}`),
    names: [uri(`provision:instance:${id}`)],
    purposes: [purpose.client],
    notBefore: now - 3_600_000,
    notAfter: now + 7 * day,
    ...spec,
  })
  return { cert: pem, key: key.pem }
}

/** A client certificate without names, as an operator makes them. */
export function clientOf(issuer: Issued, spec: ServerSpec = {}): { cert: string; key: string } {
  const { pem, key } = server(issuer, { names: null, purposes: [purpose.client], ...spec })
  return { cert: pem, key: key.pem }
}
