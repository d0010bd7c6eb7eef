// The address agents dial, and what its query says. Everything is escaped: the origin forgot that, so a pool named
// "a&b" or an IPv6 master could never be joined.
import { type MasterAddress, masterUrl } from '../../pki/master-address.ts'

export interface JoinRequest {
  id: string
  version: string
  /** '' asks for the pool `default`. */
  resourcePool: string
  reconnect: boolean
  hostname: string
}

/** `wss://[::1]:8443/agents?id=…`, or `ws:` for a master without TLS. */
export function agentsUrl(master: MasterAddress, join: JoinRequest): string {
  const query = new URLSearchParams({
    id: join.id,
    version: join.version,
    resource_pool: join.resourcePool,
    reconnect: String(join.reconnect),
    hostname: join.hostname,
  })
  return `${masterUrl(master).replace(/^http/, 'ws')}/agents?${query}`
}

/** Texts Go's strconv.ParseBool takes. */
const bools = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
])

export type ParsedJoin = { ok: true; join: JoinRequest } | { ok: false; message: string }

/** Longest id, pool or name that is looked at; cloud ids are below 64. */
const longest = 256

/**
 * Reads the request target of `GET /agents`. The messages are the origin's (master/internal/rm/agentrm/agents.go), which
 * agents print.
 */
export function parseJoin(target: string): ParsedJoin {
  const mark = target.indexOf('?')
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1))
  const id = query.get('id') ?? ''
  const given = query.get('reconnect') ?? ''
  const reconnect = bools.get(given)
  if (reconnect === undefined)
    return {
      ok: false,
      message: `parsing reconnect query param: invalid syntax: ${JSON.stringify(given.slice(0, 40))}`,
    }
  if (id === '') return { ok: false, message: 'invalid agent id specified: ' }
  const join = {
    id,
    version: query.get('version') ?? '',
    resourcePool: query.get('resource_pool') || 'default',
    reconnect,
    hostname: query.get('hostname') ?? '',
  }
  const tooLong = Object.entries(join).find(
    ([, value]) => typeof value === 'string' && value.length > longest,
  )
  if (tooLong) return { ok: false, message: `${tooLong[0]} is longer than ${longest} characters` }
  // An id becomes a line of logs, tables and terminals.
  if (/[\x00-\x1f\x7f]/.test(id)) return { ok: false, message: 'agent id holds control characters' }
  return { ok: true, join }
}
