// The proof `aws-identity-document`: the instance identity document of EC2 with its RSA-2048 signature, for networks from which STS
// cannot be reached. It contains no nonce and every process on the instance can read it, so it counts only for the first
// certificate, soon after the launch, and from an address of the instance.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html

import { createHash, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { JoinConfig } from '../../config/index.ts'
import { DerError } from '../../pki/index.ts'
import { reasonOf } from '../../platform/index.ts'
import {
  checkProofTime,
  decodeBase64,
  invalid,
  type JoinProofVerifier,
  other,
  type ProofInstance,
  proofFields,
  unchecked,
} from '../join-proof.ts'
import published from './identity-certificates.json' with { type: 'json' }
import { documentKind } from './join-kinds.ts'
import type { FindPlace, PoolPlace } from './join-proof.ts'
import { isSignedBy, readSignedDocument, type SignedDocument } from './signed-data.ts'

const base64 = /^[A-Za-z0-9+/]{4,16384}={0,2}$/
const patterns = { document: base64, signature: base64 }

export function identityDocumentVerifier(place: FindPlace, join: JoinConfig): JoinProofVerifier {
  return {
    kind: documentKind,
    async verify({ proof, instance, now, address }, signal) {
      const sent = proofFields(proof, documentKind, patterns)
      if (!instance.isFirstIssue)
        throw invalid(
          documentKind,
          'the instance had a certificate before, and documents count only for the first',
        )
      if (address === undefined || !instance.addresses.includes(plainAddress(address)))
        throw other(
          documentKind,
          `it was sent from ${address ?? 'an unknown address'}, not from the instance`,
        )
      const document = readDocument(sent)
      const { region, account } = await place(signal)
      const certificates = await certificatesOf(region, join.identity_certificates)
      if (!certificates.some((one) => isSignedBy(document, one)))
        throw invalid(documentKind, `no certificate for region ${region} made its signature`)
      checkFacts(factsIn(document.content), { region, account }, instance, now)
    },
  }
}

/** A socket that listens on both families shows an IPv4 address as an IPv6 one. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+(?:\.\d+){3}$)/i, '')
}

/** The document inside the signature, which must be the one that was sent, and the one that the signature covers. */
function readDocument({ document, signature }: Record<keyof typeof patterns, string>): SignedDocument {
  const plain = decodeBase64(document, documentKind, 'document')
  const signed = decodeBase64(signature, documentKind, 'signature')
  try {
    const found = readSignedDocument(signed)
    if (!found.content.equals(plain)) throw invalid(documentKind, 'its signature is of another document')
    if (!createHash('sha256').update(plain).digest().equals(found.digest))
      throw invalid(documentKind, 'its signature does not cover the document')
    return found
  } catch (error) {
    if (error instanceof DerError) throw invalid(documentKind, `its signature ${error.message}`)
    throw error
  }
}

// Certificates: those that Amazon publishes, and those of the user.

const remedy =
  'Name a PEM file with the RSA-2048 certificate of the region in `join.identity_certificates`; https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/regions-certs.html lists them.'

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/regions-certs.html: the RSA-2048 certificate of each region. */
async function certificatesOf(region: string, file: string | undefined): Promise<X509Certificate[]> {
  const known = Object.hasOwn(published, region) ? published[region as keyof typeof published] : undefined
  const own = known === undefined ? [] : [new X509Certificate(Buffer.from(known, 'base64'))]
  const all = [...own, ...(file === undefined ? [] : await certificatesIn(file))]
  if (all.length > 0) return all
  throw unchecked(documentKind, `no certificate is known for region ${region}`, { remedy })
}

async function certificatesIn(file: string): Promise<X509Certificate[]> {
  try {
    const text = await readFile(file, 'utf8')
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    if (blocks.length === 0) throw new Error('it contains no PEM certificate')
    return blocks.map((block) => new X509Certificate(block))
  } catch (error) {
    throw unchecked(documentKind, `join.identity_certificates: cannot read ${file}: ${reasonOf(error)}`, {
      cause: error,
      remedy,
    })
  }
}

// What the document says.

function factsIn(document: Buffer): Record<string, unknown> {
  try {
    const facts: unknown = JSON.parse(document.toString('utf8'))
    if (typeof facts === 'object' && facts !== null) return facts as Record<string, unknown>
  } catch {
    // Signed, but not a document.
  }
  throw invalid(documentKind, 'it is not an instance identity document')
}

function checkFacts(
  facts: Record<string, unknown>,
  { region, account }: PoolPlace,
  { id, zone, addresses }: ProofInstance,
  now: number,
): void {
  const { instanceId, accountId, privateIp, availabilityZone, pendingTime } = facts
  const its = [instanceId, accountId, facts['region'], availabilityZone, privateIp]
  if (!its.every((fact) => typeof fact === 'string'))
    throw invalid(documentKind, 'it is not an instance identity document')
  const isOurs =
    instanceId === id &&
    accountId === account &&
    facts['region'] === region &&
    (zone === undefined || availabilityZone === zone) &&
    addresses.includes(String(privateIp))
  if (!isOurs)
    throw other(
      documentKind,
      `it is of ${its.map((fact) => JSON.stringify(String(fact).slice(0, 60))).join(', ')}, not of instance ${id} of account ${account} in ${zone ?? region}`,
    )
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
  const launched =
    typeof pendingTime === 'string' && form.test(pendingTime) ? Date.parse(pendingTime) : Number.NaN
  checkProofTime(documentKind, 'pendingTime', launched, now)
}
