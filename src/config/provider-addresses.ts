// Keys of a provider that name addresses of the master: their types, and the rules between them.
import * as z from 'zod/mini'
import { kinds, shaped, text } from './fields.ts'
import { type MasterUrlFault, parseMasterUrl } from './master-url.ts'
import { type Block, given, isMapping, note, type Partially } from './read-block.ts'

/** `master_url`: one, or several for agents that dial one after the other. */
export const masterUrls = z.union([text, z.array(text).check(z.minLength(1))]).register(kinds, {
  noun: 'a URL or a list of URLs',
  remedy: 'Write "https://master.example.com:8443", or one "- https://…" for each master below the key.',
})

const hostAndPort = shaped(
  /^(?:\[[^\]\s]+\]|[^\s:/@]+):\d{1,5}$/,
  '"host:port"',
  'Write the address as host:port, such as "10.0.0.5:8443" or "[fd00::5]:8443".',
)

/** `preflight_address`: one, or as many as there are in `master_url`. */
export const preflightAddresses = z
  .union([hostAndPort, z.array(hostAndPort).check(z.minLength(1))])
  .register(kinds, {
    noun: '"host:port", or a list of them',
    remedy: 'Write the address as host:port, such as "10.0.0.5:8443" or "[fd00::5]:8443".',
  })

type OneOrMore = string | readonly string[]

/** The values of a key that may be one or a list. */
export function listOf(value: OneOrMore): readonly string[] {
  return typeof value === 'string' ? [value] : value
}

interface Keys {
  master_url?: OneOrMore
  preflight?: string
  preflight_address?: OneOrMore
}

/** Notes what is wrong with each address, and between several. */
export function checkMasterUrls({ master_url = '' }: Partially<Keys>, block: Block): void {
  const isList = typeof master_url !== 'string'
  listOf(master_url).forEach((url, index, all) => {
    const parts = parseMasterUrl(url)
    const fault = 'code' in parts ? parts : all.length > 1 ? faultAmong(all, index) : undefined
    if (fault)
      note(block, fault.code, fault.message, {
        key: isList ? ['master_url', index] : 'master_url',
        ...(fault.remedy && { remedy: fault.remedy }),
      })
  })
}

/** Of one of several that is well-formed by itself. */
function faultAmong(all: readonly string[], index: number): MasterUrlFault | undefined {
  const [first, own] = [parseMasterUrl(all[0]!), parseMasterUrl(all[index]!)]
  if ('code' in own) return own
  const fault = (message: string, remedy: string) => ({
    code: 'MASTER_URL_INVALID' as const,
    message,
    remedy,
  })
  if (!own.host)
    return fault(
      'each of several addresses in master_url needs its host',
      'Write the host of each master, such as "https://master-a.example.com:8443".',
    )
  if (!('code' in first) && first.scheme !== undefined && first.scheme !== own.scheme)
    return fault(
      `the addresses in master_url must have one scheme, but are ${first.scheme} and ${own.scheme}`,
      'Write the same scheme for all: agents have one setting for TLS.',
    )
  return undefined
}

/** Notes values of `preflight` and its keys that contradict each other. */
export function checkPreflight(keys: Partially<Keys>, block: Block): void {
  const { master_url = '', preflight, preflight_address: addresses } = keys
  if (preflight === 'off' && given(block, 'preflight_proof'))
    note(block, 'CONFIG_UNUSED', 'preflight_proof has no effect with `preflight: off`', {
      key: 'preflight_proof',
      part: 'key',
    })
  if (!addresses) return
  const isList = typeof addresses !== 'string'
  listOf(addresses).forEach((address, index) => {
    const port = Number(address.slice(address.lastIndexOf(':') + 1))
    if (port < 1 || port > 65_535)
      note(
        block,
        'CONFIG_OUT_OF_RANGE',
        `the port of preflight_address must be from 1 to 65535, but is ${port}`,
        { key: isList ? ['preflight_address', index] : 'preflight_address' },
      )
  })
  const [wanted, found] = [
    countOf(block, 'master_url', master_url),
    countOf(block, 'preflight_address', addresses),
  ]
  if (wanted !== undefined && found !== undefined && wanted !== found)
    note(
      block,
      'CONFIG_CONFLICT',
      `preflight_address has ${counted(found)}, but master_url has ${counted(wanted)}`,
      {
        key: 'preflight_address',
        remedy: 'Write one for each address in master_url, in the same order, or remove preflight_address.',
      },
    )
  if (preflight === 'off')
    note(block, 'CONFIG_UNUSED', 'preflight_address has no effect with `preflight: off`', {
      key: 'preflight_address',
      part: 'key',
    })
}

/** How many there are in the file; undefined if one was wrong, which is reported in its place. */
function countOf({ raw }: Block, key: string, read: OneOrMore): number | undefined {
  const written = raw[key]
  const count = listOf(read).length
  if (Array.isArray(written)) return written.length === count ? count : undefined
  // Not given, or one; anything else was not read.
  return isMapping(written) ? undefined : count
}

function counted(count: number): string {
  return count === 1 ? '1 address' : `${count} addresses`
}
