// The dials of one preflight: each as an agent would, or with one thing changed to find out more.
import type { LookupFunction } from 'node:net'
import type { Clock } from '../platform/ports.ts'
import { type DialTrust, dialOptions } from './dial-options.ts'
import { isHostAlias, type MasterAddress } from './master-address.ts'
import { type DialOutcome, dialMaster } from './preflight-dial.ts'
import { anchorsOf, type TrustPlan } from './trust-plan.ts'

export interface Dials {
  dialled: { host: string; port: number }
  /** For messages: the address dialled, and what agents dial if that is another. */
  at: string
  /** The name agents verify. */
  name: string
  asAgent(change?: Partial<DialTrust>): Promise<DialOutcome>
  inPlainText(): Promise<DialOutcome>
  /** Ends the deadline; dials under way come to an end. */
  close(): void
}

export interface DialsOrder {
  address: MasterAddress
  dialled: { host: string; port: number }
  plan: TrustPlan
  timeoutMs: number
  clock: Clock
  signal?: AbortSignal
  wellKnown: readonly string[]
  lookup?: LookupFunction
}

export function openDials(wanted: DialsOrder): Dials {
  const { address, dialled, plan, timeoutMs, clock, signal, wellKnown, lookup } = wanted
  // Agents put the address they looked up in the alias' place; the one dialled here is the nearest to it.
  const meant = isHostAlias(address.host) ? { ...address, host: dialled.host } : address
  const name = plan.certificateName ?? meant.host
  const ended = new AbortController()
  clock.sleep(timeoutMs, ended.signal).then(
    () => ended.abort(),
    () => {},
  )
  const order = {
    ...dialled,
    authority: authorityOf(meant),
    budgetMs: timeoutMs,
    lookup,
    signal: signal ? AbortSignal.any([signal, ended.signal]) : ended.signal,
  }
  const trust: DialTrust = {
    name,
    ca: plan.mode === 'embed' ? anchorsOf(plan) : wellKnown,
    verify: plan.mode !== 'skip_verify',
  }
  const here = authorityOf(dialled)
  const there = authorityOf(address)
  return {
    dialled,
    at: here === there ? here : `${here} (agents dial ${there})`,
    name,
    asAgent: (change) => dialMaster({ ...order, tls: dialOptions({ ...trust, ...change }) }),
    inPlainText: () => dialMaster(order),
    close: () => ended.abort(),
  }
}

function authorityOf({ host, port }: { host: string; port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
