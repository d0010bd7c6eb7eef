// The short report of a dry run for people: how agents will trust, what they dial, how large the user data is.
import { inspect } from 'node:util'
import type { DryRunPool } from '../provisioner/prepare.ts'
import type { Terminal } from './terminal.ts'

/** @param now milliseconds since the epoch */
export function dryRunReport(pool: DryRunPool, terminal: Terminal, now: number): string[] {
  const { tls, bytes, request } = pool
  const { style } = terminal
  const line = (name: string, text: string) => `  ${style('dim', name.padEnd(12))} ${text}`
  const because = (text: string) => style('dim', ` (${text})`)
  return [
    style('bold', `pool ${pool.pool} (${pool.provider})`),
    line('trust', `${tls.mode}${because(tls.modeReason)}`),
    line('name', `${tls.certificateName ?? 'none'}${because(tls.certificateNameReason)}`),
    line('dialled', tls.masterUrl),
    ...tls.chain.flatMap((certificate) => [
      line(
        certificate.role,
        `${certificate.subject}, until ${certificate.notAfter.slice(0, 10)}${daysLeft(certificate.notAfter, now)}`,
      ),
      line('', `SHA-256 ${certificate.sha256}`),
      ...(certificate.role === 'leaf' ? [line('', `for ${certificate.sans.join(', ')}`)] : []),
    ]),
    line('user data', sizes(pool.encoding, bytes)),
    ...requestLines(request).map((text, n) => line(n === 0 ? 'request' : '', text)),
  ]
}

function daysLeft(notAfter: string, now: number): string {
  const days = Math.floor((Date.parse(notAfter) - now) / 86_400_000)
  return ` (${days} days)`
}

/** 16,384. Not by toLocaleString: its first call loads the tables of every language, which takes 16 ms. */
function number(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ',')
}

function sizes(encoding: string, { script, packed, limit }: DryRunPool['bytes']): string {
  const form =
    encoding === 'plain'
      ? `${number(packed)} bytes`
      : `${number(packed)} bytes as ${encoding}, ${number(script)} unpacked`
  return limit === undefined ? `${form}, no limit` : `${form} of ${number(limit)}`
}

/** The calls in the order they are made, each with a line for every field of its body; fallbacks are only named. */
function requestLines({ call, body, region, before = [], fallbacks = [] }: DryRunPool['request']): string[] {
  const place = region ? ` in ${region}` : ''
  const fallback = fallbacks.map((next) => `, then ${next.call} for what is missing`).join('')
  return [
    ...before.flatMap((first) => [`${first.call}${place}, unless it is there`, ...fieldLines(first.body)]),
    `${call}${place}${fallback}`,
    ...fieldLines(body),
  ]
}

/** A field that holds fields is taken apart once: the parts of a launch template are what people look for. */
function fieldLines(body: Record<string, unknown>): string[] {
  return Object.entries(body).flatMap(([name, value]) => {
    const whole = `  ${name}: ${oneLine(value)}`
    if (whole.length <= 120 || typeof value !== 'object' || value === null) return [whole]
    const parts = Array.isArray(value)
      ? value.map((item) => `- ${oneLine(item)}`)
      : Object.entries(value).map(([key, part]) => `${key}: ${oneLine(part)}`)
    return [`  ${name}:`, ...parts.map((part) => `    ${part}`)]
  })
}

function oneLine(value: unknown): string {
  if (typeof value === 'string') return value
  return inspect(tagsAsObject(value), { breakLength: Number.POSITIVE_INFINITY, compact: true, depth: 8 })
}

/** EC2's lists of `{Key, Value}` take half a screen; the same as one object can be read. */
function tagsAsObject(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (!Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, tagsAsObject(part)]))
  const isTags =
    value.length > 0 && value.every((item) => item?.Key !== undefined && item?.Value !== undefined)
  return isTags ? Object.fromEntries(value.map(({ Key, Value }) => [Key, Value])) : value.map(tagsAsObject)
}
