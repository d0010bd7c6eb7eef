import { describe, expect, it } from 'vitest'
import { createLogger, type LogFormat, type LogLevel } from '../../../src/platform/log.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function logged(format: LogFormat, level: LogLevel = 'debug') {
  const lines: string[] = []
  return {
    lines,
    log: createLogger({ format, level, clock: new FakeClock(), write: (line) => lines.push(line) }),
  }
}

describe('the log', () => {
  it('writes one JSON object a line for machines', () => {
    const { lines, log } = logged('json')
    log.warn('launch refused', { pool: 'gpu', count: 2 })
    expect(lines).toEqual([
      '{"time":"2026-11-23T12:00:00.000Z","level":"warn","message":"launch refused","pool":"gpu","count":2}\n',
    ])
  })

  it('writes short lines for people, quoting what has blanks', () => {
    const { lines, log } = logged('text')
    log.info('agent joined', { id: 'i-1', name: 'a b', reason: undefined })
    expect(lines).toEqual(['12:00:00 agent joined id=i-1 name="a b"\n'])
  })

  it('dates its lines by the time of day, which may have been set since the start', () => {
    const lines: string[] = []
    const clock = Object.assign(new FakeClock(), { wall: () => Date.parse('2026-11-23T15:30:00Z') })
    createLogger({ format: 'text', level: 'info', clock, write: (line) => lines.push(line) }).info('set')
    expect(lines).toEqual(['15:30:00 set\n'])
  })

  it('writes a list of texts as one word, and no empty one', () => {
    const { lines, log } = logged('text')
    log.info('work changed', { agents: ['i-1', 'i-2'], failed: [] })
    expect(lines).toEqual(['12:00:00 work changed agents="i-1,i-2"\n'])
  })

  it('leaves out what is below its level', () => {
    const { lines, log } = logged('text', 'warn')
    log.info('quiet')
    log.error('loud')
    expect(lines).toHaveLength(1)
  })

  it.each([
    ['a field by its name', { password: 'hunter2hunter2' }, 'hunter2'],
    ['a nested field', { request: { headers: { Authorization: 'Basic abc' } } }, 'Basic abc'],
    ['a bearer token in a text', { text: 'sent Bearer abcdefghijkl' }, 'abcdefghijkl'],
    [
      'a private key',
      { pem: '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----' },
      'MHcCAQEE',
    ],
    ['a cut-off private key', { pem: '-----BEGIN PRIVATE KEY-----\nMHcCAQEE' }, 'MHcCAQEE'],
    ['an AWS key id', { error: new Error('denied for AKIAABCDEFGHIJKLMNOP') }, 'AKIAABCDEFGHIJKLMNOP'],
  ])('masks %s', (_, fields, secret) => {
    const { lines, log } = logged('json')
    log.info('event', fields)
    expect(lines[0]).not.toContain(secret)
    expect(lines[0]).toContain('********')
  })

  it('survives a value that contains itself', () => {
    const { lines, log } = logged('json')
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    log.info('event', { loop })
    expect(lines[0]).toContain('too deep')
  })
})
