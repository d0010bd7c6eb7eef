// What the attacked endpoint and its attackers have in common.
import type { JoinLimits, LaunchedInstance } from '../../../src/join/index.ts'

export const joinUrl = 'https://provision.internal:8444'

export const places = {
  aws: { region: 'us-west-2', account: '123456789012', zone: 'us-west-2a' },
  gcp: { project: 'my-project', zone: 'us-central1-a' },
} as const

/** Those that join, those that might still, and what must not: one that is gone, and one of a pool without `join`. */
export const ids = {
  aws: 'i-0123456789abcdef0',
  awsOther: 'i-0123456789abcdef1',
  awsDocument: 'i-0123456789abcdef2',
  awsFresh: 'i-0123456789abcdef5',
  gcpFresh: 'det-agent-0123456789ab-3',
  localFresh: 'local-01234567-3',
  gone: 'i-0123456789abcdef3',
  elsewhere: 'i-0123456789abcdef4',
  nobody: 'i-0123456789abcdeff',
  gcp: 'det-agent-0123456789ab-1',
  gcpOther: 'det-agent-0123456789ab-2',
  local: 'local-01234567-1',
  localOther: 'local-01234567-2',
} as const

export interface EndpointSettings {
  stateDir: string
  url: string
  now: number
  cert: string
  key: string
  stsUrl: string
  /** PEM. */
  googleCertificate: string
  regionFile: string
  privateIp: string
  secrets: Record<string, string>
  instances: (Pick<LaunchedInstance, 'id' | 'pool'> & Partial<LaunchedInstance>)[]
  limits: Partial<JoinLimits>
}

export interface EndpointReport {
  /** Milliseconds of the processor in one turn of the event loop. */
  worst: number
  p99: number
  /** Bytes. */
  heapUsed: number
  rss: number
  /** Requests by outcome or code. */
  outcomes: Record<string, number>
  bindings: { instance: string; key: string; isContested: boolean }[]
  log: string[]
}
