// Pools with `join: {proof: required}`: their agents present the certificate that the provisioner issued to their instance.

import type { X509Certificate } from 'node:crypto'
import type { ClientCertificate } from '../../http/index.ts'
import { type Admission, type Refusal, retryAfter } from './agent.ts'

export interface JoinProofRules {
  /** Whether agents of the pool must present a certificate of the agents' CA. Also asked for pools that were removed. */
  isRequired: (pool: string) => boolean
  /**
   * Whether this certificate, which the agents' CA has signed for `id` and which is valid now, may join: the id is a live
   * instance of the pool, and the certificate has the key that is bound to it. `later` or `absent`: not known yet.
   */
  mayJoin: (id: string, pool: string, certificate: X509Certificate) => Admission
}

export interface ClaimedIdentity {
  id: string
  /** The pool of the dial, and that of the agent with this id if there is one: it would get that one's containers. */
  pools: readonly string[]
  shown: ClientCertificate | undefined
}

/**
 * Why a dialling agent is rejected, or undefined. An agent that presents a certificate of the agents' CA is held to it in
 * every pool, so that an instance cannot pass for another, or for an agent of a pool that requires no certificate.
 */
export function proofRefusal(claimed: ClaimedIdentity, rules: JoinProofRules): Refusal | undefined {
  const { id, pools, shown } = claimed
  const certificate = certificateFor(claimed)
  if (!certificate) {
    if (shown?.signers.has('agents')) return notIts(id)
    const strict = pools.find(rules.isRequired)
    return strict === undefined ? undefined : unproven(strict)
  }
  for (const pool of pools) {
    const admission = rules.mayJoin(id, pool, certificate)
    if (admission === 'no' || admission === 'ended') return notInForce(id, pool)
    if (admission !== 'yes') {
      const message = `the certificate of agent ${id} cannot be checked yet`
      return { kind: 'not known yet', status: 503, message, retryAfter }
    }
  }
}

/**
 * The same for a dial that cannot join, because it does not say whether it is a reconnect: whether the certificate would be
 * one of the agents' CA for this id. `provision check` probes with such dials.
 */
export function probeRefusal(claimed: ClaimedIdentity, rules: JoinProofRules): Refusal | undefined {
  const strict = claimed.pools.find(rules.isRequired)
  if (strict === undefined || certificateFor(claimed)) return undefined
  return claimed.shown?.signers.has('agents') ? notIts(claimed.id) : unproven(strict)
}

/** Certificates of the agents' CA have one subject attribute: the common name is the instance's id. */
function certificateFor({ id, shown }: ClaimedIdentity): X509Certificate | undefined {
  if (!shown?.signers.has('agents') || shown.certificate.subject !== `CN=${id}`) return undefined
  return shown.certificate
}

function unproven(pool: string): Refusal {
  const message = `forbidden: agents of resource pool ${pool} must present the certificate that the provisioner issues to their instance`
  return { kind: 'no join proof', status: 403, message }
}

function notIts(id: string): Refusal {
  const message = `forbidden: the client certificate is not that of agent ${id}`
  return { kind: 'other identity', status: 403, message }
}

function notInForce(id: string, pool: string): Refusal {
  const message = `forbidden: the client certificate of agent ${id} is not in force in resource pool ${pool}`
  return { kind: 'other identity', status: 403, message }
}
