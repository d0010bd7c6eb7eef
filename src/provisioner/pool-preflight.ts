// The preflight of one pool: dials the master as an agent of the pool would.

import { type PreflightResult, preflight } from '../pki/preflight.ts'
import type { Clock } from '../platform/ports.ts'
import type { DialablePool } from './prepare-pool.ts'

/** Milliseconds for everything together. */
const timeoutMs = 5000

/** Rejects only with the signal's reason. Whether the pool wants a preflight is up to who asks. */
export function preflightPool(
  { pool, setup, hasClientCertificate }: DialablePool,
  clock: Clock,
  signal?: AbortSignal,
): Promise<PreflightResult> {
  const { preflight_address } = pool.provider
  return preflight({
    address: setup.master,
    dialAddress: preflight_address === undefined ? undefined : hostAndPort(preflight_address),
    plan: setup.trust,
    timeoutMs,
    clock,
    signal,
    agentsHaveClientCertificate: hasClientCertificate,
  })
}

/** `host:port`, IPv6 in brackets, as the configuration has checked it. */
function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) }
}
