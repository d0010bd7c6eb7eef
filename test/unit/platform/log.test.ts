import { describe, expect, it } from 'vitest'
import {
  createLogger,
  groupedLog,
  type LogFormat,
  type LogLevel,
  redact,
  shortIds,
} from '../../../src/platform/log.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function logged(format: LogFormat, level: LogLevel = 'debug') {
  const lines: string[] = []
  return {
    lines,
    log: createLogger({ format, level, clock: new FakeClock(), write: (line) => lines.push(line) }),
  }
}

describe('the log', () => {
  it('writes one JSON object per line for programs', () => {
    const { lines, log } = logged('json')
    log.warn('launch refused', { pool: 'gpu', count: 2 })
    expect(lines).toEqual([
      '{"time":"2026-11-23T12:00:00.000Z","level":"warn","message":"launch refused","pool":"gpu","count":2}\n',
    ])
  })

  it('writes short lines as text, and quotes values with blanks', () => {
    const { lines, log } = logged('text')
    log.info('agent joined', { id: 'i-1', name: 'a b', reason: undefined })
    expect(lines).toEqual(['12:00:00 agent joined id=i-1 name="a b"\n'])
  })

  it('has the time of day, which may have been set since the start', () => {
    const lines: string[] = []
    const clock = Object.assign(new FakeClock(), { wall: () => Date.parse('2026-11-23T15:30:00Z') })
    createLogger({ format: 'text', level: 'info', clock, write: (line) => lines.push(line) }).info('set')
    expect(lines).toEqual(['15:30:00 set\n'])
  })

  it('writes a list of strings as one value, and no empty list', () => {
    const { lines, log } = logged('text')
    log.info('job changed', { agents: ['i-1', 'i-2'], failed: [] })
    expect(lines).toEqual(['12:00:00 job changed agents="i-1,i-2"\n'])
  })

  it('omits lines below its level', () => {
    const { lines, log } = logged('text', 'warn')
    log.info('quiet')
    log.error('loud')
    expect(lines).toHaveLength(1)
  })

  it.each([
    ['a field by its name', { password: 'hunter2hunter2' }, 'hunter2'],
    ['a nested field', { request: { headers: { Authorization: 'Basic abc' } } }, 'Basic abc'],
    ['a bearer token in a string', { text: 'sent Bearer abcdefghijkl' }, 'abcdefghijkl'],
    [
      'a private key',
      { pem: '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----' },
      'MHcCAQEE',
    ],
    ['a truncated private key', { pem: '-----BEGIN PRIVATE KEY-----\nMHcCAQEE' }, 'MHcCAQEE'],
    ['an AWS key id', { error: new Error('denied for AKIAABCDEFGHIJKLMNOP') }, 'AKIAABCDEFGHIJKLMNOP'],
  ])('masks %s', (_, fields, secret) => {
    const { lines, log } = logged('json')
    log.info('event', fields)
    expect(lines[0]).not.toContain(secret)
    expect(lines[0]).toContain('********')
  })

  it('handles a value that contains itself', () => {
    const { lines, log } = logged('json')
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    log.info('event', { loop })
    expect(lines[0]).toContain('too deep')
  })
})

describe('events that others can cause', () => {
  it('give one line a minute for each source and reason, with a count', async () => {
    const clock = new FakeClock(0)
    const lines: [string, object][] = []
    const log = groupedLog({ clock, log: (message, fields) => lines.push([message, fields]), mostKeys: 3 })
    for (let n = 0; n < 100; n++) log('a', 'refused', { source: 'a', n })
    log('b', 'refused', { source: 'b' })
    expect(lines).toEqual([
      ['refused', { source: 'a', n: 0 }],
      ['refused', { source: 'b' }],
    ])
    lines.length = 0
    await clock.advance(60_000)
    log('b', 'refused', { source: 'b' })
    expect(lines).toEqual([
      ['refused', { source: 'a', n: 99, count: 99 }],
      ['refused', { source: 'b' }],
    ])
    lines.length = 0
    for (let n = 0; n < 10_000; n++) log(`made up ${n}`, 'refused', { n })
    expect(lines.length).toBeLessThan(4)
  })

  it('list at most twenty ids', () => {
    const ids = Array.from({ length: 5000 }, (_, n) => `i-${n}`)
    expect(shortIds([])).toBeUndefined()
    expect(shortIds(['i-1', 'i-2'])).toBe('i-1,i-2')
    expect(shortIds(ids)).toMatch(/^i-0,.*,i-19 and 4980 more$/)
  })
})

it('may be logged one by one at first', async () => {
  const clock = new FakeClock(0)
  const lines: object[] = []
  const log = groupedLog({ clock, log: (_, fields) => lines.push(fields), freeOf: 3 })
  for (let n = 0; n < 10; n++) log('a', 'came', { n })
  expect(lines).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }])
  await clock.advance(60_000)
  log('a', 'came', { n: 10 })
  expect(lines.slice(3)).toEqual([{ n: 9, count: 7 }, { n: 10 }])
})

it.each(['json', 'text'] as const)('no line of %s contains cursor controls or line breaks', (format) => {
  const lines: string[] = []
  const write = (line: string) => lines.push(line)
  const logger = createLogger({ format, level: 'info', clock: new FakeClock(0), write })
  const evil = 'a\u001b[2J\u009b2J\u202eb\u2028c\r\nd'
  logger.warn(`received ${evil}`, { id: evil, list: [evil] })
  expect(lines[0]).toMatch(/^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+\n$/)
  if (format === 'json')
    expect(JSON.parse(lines[0]!)).toMatchObject({ message: `received ${evil}`, id: evil })
})

it('a field cannot replace the message, the level or the time', () => {
  const lines: string[] = []
  const logger = createLogger({
    format: 'json',
    level: 'info',
    clock: new FakeClock(0),
    write: (line) => lines.push(line),
  })
  logger.warn('mine', { message: 'theirs', level: 'none', time: 'never', more: 1 })
  expect(JSON.parse(lines[0]!)).toEqual({
    time: '1970-01-01T00:00:00.000Z',
    level: 'warn',
    message: 'mine',
    more: 1,
  })
})

it.each([
  ['http://bob:topsecret@proxy:3128', 'http://********@proxy:3128'],
  ['dial wss://bob@host:8443/agents failed', 'dial wss://********@host:8443/agents failed'],
  [`ghp_${'a'.repeat(36)}`, '********'],
  ['docker login -u robot --password hunter2', 'docker login -u robot --password ********'],
  ['mail a@b.example', 'mail a@b.example'],
])('masks the secrets that user data is checked for: %s', (text, shown) => {
  expect(redact(text)).toBe(shown)
})

describe.each(['json', 'text'] as const)('a long line of %s', (format) => {
  const ids = Array.from({ length: 10_000 }, (_, n) => `i-${String(n).padStart(17, '0')}`)

  it.each([
    ['lists', { ids }],
    ['strings', { ids: ids.join(',') }],
    ['nested lists', { problem: { details: { ids } }, more: ids }],
    ['many fields', Object.fromEntries(ids.map((id) => [id, id]))],
    ['what takes several bytes', { names: 'ü'.repeat(7000), more: '€'.repeat(7000) }],
  ])('is cut where it has long %s, and says how much is left out', (_, fields) => {
    const { lines, log } = logged(format)
    log.error('not terminated', fields)
    expect(Buffer.byteLength(lines[0]!)).toBeLessThanOrEqual(8192)
    expect(lines[0]).toContain('not terminated')
    if (Object.keys(fields).length < 10) expect(lines[0]).toMatch(/… \(\d+ more/)
    if (format === 'json') expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'error' })
  })

  it('is cut where its message is long', () => {
    const { lines, log } = logged(format)
    log.error(`not terminated: ${ids.join(', ')}`, { pool: 'gpu' })
    expect(Buffer.byteLength(lines[0]!)).toBeLessThanOrEqual(8192)
    expect(lines[0]).toMatch(/not terminated: i-0.*… \(\d+ more characters\).*gpu/)
  })
})
