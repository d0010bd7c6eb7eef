import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { placeOf } from '../../../src/problems/index.ts'
import { exampleTrace } from '../../../src/simulator/example-trace.ts'
import { readTrace, type Trace } from '../../../src/simulator/trace.ts'
import { root } from '../../support/sources.ts'

function traceOf(text: string): Trace {
  const read = readTrace(text, 'jobs.csv')
  if ('problems' in read) throw new Error(JSON.stringify(read.problems))
  return read.trace
}

function problemsOf(text: string): string[] {
  const read = readTrace(text, 'jobs.csv')
  return 'problems' in read ? read.problems.map((p) => `${placeOf(p.where!)} ${p.code} ${p.message}`) : []
}

const rows = (...lines: string[]) => ['submit,slots,duration', ...lines].join('\n')

describe('a trace', () => {
  it('is read with times counted from its first job, whatever the order of lines', () => {
    const { jobs, beginsAt } = traceOf(rows('1h30m,4,90', '60,1,1.5', '2m,0,1h'))
    expect(beginsAt).toBeUndefined()
    expect(jobs).toEqual([
      { id: 'line-3', at: 0, slots: 1, duration: 1_500 },
      { id: 'line-4', at: 60_000, slots: 0, duration: 3_600_000 },
      { id: 'line-2', at: 5_340_000, slots: 4, duration: 90_000 },
    ])
  })

  it('may contain dates, with an offset or in UTC', () => {
    const { jobs, beginsAt } = traceOf(
      rows('2026-11-23T10:00:30+01:00,1,60', '2026-11-23 09:00,1,60', '2026-11-23T09:02:00.5Z,1,60'),
    )
    expect(new Date(beginsAt!).toISOString()).toBe('2026-11-23T09:00:00.000Z')
    expect(jobs.map(({ at }) => at)).toEqual([0, 30_000, 120_500])
  })

  it('may contain seconds since the epoch', () => {
    expect(traceOf(rows('1764000000,1,60', '1764000005,1,60')).jobs.map(({ at }) => at)).toEqual([0, 5_000])
  })

  it('names allocations and jobs in columns of any order', () => {
    const text = '\uFEFFjob,ID,max_slots,duration,slots,submit\r\n"a, ""b""",x,8,60,2,0\r\n,,,60,1,1\r\n'
    expect(traceOf(text).jobs).toMatchObject([
      { id: 'x', job: 'a, "b"', maxSlots: 8, slots: 2 },
      { id: 'line-3', job: undefined, maxSlots: undefined, slots: 1 },
    ])
  })

  it('may mix the line ends of systems', () => {
    const { jobs } = traceOf('submit,slots,duration\r\n0,1,60\n1,2,60\r\n2,3,60\n')
    expect(jobs.map(({ id, slots }) => [id, slots])).toEqual([
      ['line-2', 1],
      ['line-3', 2],
      ['line-4', 3],
    ])
  })

  it('may contain comments and blank lines, and need not end with a line break', () => {
    expect(traceOf('# mine\n\nsubmit,slots,duration\n  # one\n 0 , 1 , 60').jobs).toMatchObject([
      { id: 'line-5', slots: 1, duration: 60_000 },
    ])
  })
})

describe('what is wrong with a trace', () => {
  it.each([
    ['nothing', '', 'jobs.csv TRACE_EMPTY the trace is empty'],
    ['only comments', '# a\n\n', 'jobs.csv TRACE_EMPTY the trace is empty'],
    ['only a header', 'submit,slots,duration\n', 'jobs.csv TRACE_EMPTY the trace has a header and no jobs'],
    ['no header', '0,1,60\n', 'jobs.csv:1:1 TRACE_HEADER the first line is not a header'],
    ['semicolons', 'submit;slots\n', 'jobs.csv:1:1 TRACE_HEADER unknown column "submit;slots"'],
    ['a missing column', 'submit,slots\n0,1', 'jobs.csv:1:1 TRACE_HEADER the trace has no column duration'],
    ['a column twice', 'submit,slots,duration,slots\n', 'jobs.csv:1:23 TRACE_HEADER duplicate column slots'],
    ['a short line', rows('0,1'), 'jobs.csv:2:3 TRACE_ROW the line has 2 fields, but the header 3'],
    ['a long line', rows('0,1,60,9'), 'jobs.csv:2:8 TRACE_ROW the line has 4 fields, but the header 3'],
    ['an open quote', rows('0,"1,60'), 'jobs.csv:2:3 TRACE_NOT_CSV a quote is not closed'],
    ['a quote inside', rows('0,1"2,60'), 'jobs.csv:2:3 TRACE_NOT_CSV a quote inside'],
    ['text after a quote', rows('0,"1"2,60'), 'jobs.csv:2:3 TRACE_NOT_CSV text after the closing quote'],
    [
      'an open quote before lines with quotes',
      rows('0,"1,60', '1,2,3', '4,"5",6'),
      'jobs.csv:2:3 TRACE_NOT_CSV a quote is not closed',
    ],
    [
      'an open quote that a later line closes',
      rows('0,1,60', '0,"1,60', '4,5",6'),
      'jobs.csv:3:3 TRACE_NOT_CSV a quote is not closed',
    ],
    [
      'an open quote after comments and blank lines',
      rows('0,1,60', '# "mine', '', '"0,1,60'),
      'jobs.csv:5:1 TRACE_NOT_CSV a quote is not closed',
    ],
    [
      'a fault after wide and quoted fields',
      'job,submit,slots,duration\r\n"实验, ""😀""" ,  0,x,60\n',
      'jobs.csv:2:19 TRACE_VALUE slots "x"',
    ],
    ['a negative time', rows('-5s,1,60'), 'jobs.csv:2:1 TRACE_VALUE submit "-5s" is out of range'],
    ['no time', rows('noon,1,60'), 'jobs.csv:2:1 TRACE_VALUE submit "noon" is not a time'],
    ['a huge time', rows(`${'9'.repeat(400)},1,60`), 'is out of range'],
    [
      'a day that is not',
      rows('2026-02-30T00:00Z,1,60'),
      '2:1 TRACE_VALUE submit "2026-02-30T00:00Z" is not a c',
    ],
    ['an hour that is not', rows('2026-02-20T25:00Z,1,60'), 'is not a calendar date'],
    [
      'slots in words',
      rows('0,two,60'),
      'jobs.csv:2:3 TRACE_VALUE slots "two" is not an integer number of slots',
    ],
    ['half a slot', rows('0,0.5,60'), 'slots "0.5" is not an integer number of slots'],
    ['huge slots', rows('0,99999999999999999999,60'), 'is more than 100,000 slots'],
    ['no slots', rows('0,,60'), 'jobs.csv:2:3 TRACE_VALUE slots "" is not an integer number of slots'],
    ['a negative length', rows('0,1,-60s'), 'jobs.csv:2:5 TRACE_VALUE duration "-60s" is negative'],
    ['a length of years', rows('0,1,9000h'), 'duration "9000h" is longer than 8784h'],
    ['a length in days', rows('0,1,2d'), 'duration "2d" is not a duration'],
    [
      'two kinds of times',
      rows('0,1,60', '2026-11-23,1,60', '2026-11-23T00:00Z,1,60'),
      'is a date, but line 2',
    ],
    ['years between', rows('0,1,60', '10000h,1,60'), 'TRACE_TOO_LARGE the trace has more than a year'],
    [
      'an id twice',
      'submit,slots,duration,id\n0,1,1,a\n0,1,1,a',
      'jobs.csv:3:7 TRACE_VALUE id "a" is already used in l',
    ],
    ['a bell in an id', 'submit,slots,duration,id\n0,1,1,a\u0007', 'contains control characters'],
    [
      'a limit without a job',
      'submit,slots,duration,max_slots\n0,1,1,4',
      '2:7 TRACE_VALUE max_slots needs a job',
    ],
    [
      'two limits of a job',
      'submit,slots,duration,job,max_slots\n0,1,1,a,4\n0,1,1,a,5',
      'jobs.csv:3:9 TRACE_VALUE max_slots of job "a" is already 4 in line 2',
    ],
  ])('%s', (_, text, words) => {
    expect(problemsOf(text).join('\n')).toContain(words)
  })

  it('is reported at once, each with its location', () => {
    expect(problemsOf(rows('x,y,z', '0,1,60', '0,1'))).toHaveLength(4)
  })

  it('is reported up to a limit', () => {
    const found = problemsOf(rows(...Array.from({ length: 500 }, () => '0,x,60')))
    expect(found).toHaveLength(21)
    expect(found.at(-1)).toContain('TRACE_TOO_MANY_PROBLEMS reading stopped at line 21, after 20 problems')
  })

  it('includes its size', () => {
    const found = problemsOf(`submit,slots,duration\n${'0,1,1\n'.repeat(200_001)}`)
    expect(found[0]).toContain('TRACE_TOO_LARGE the trace has 200001 jobs')
  })

  it('includes a suggestion', () => {
    const read = readTrace('submit,slot,duration\n', 'jobs.csv')
    expect('problems' in read && read.problems[0]?.remedy).toBe('Did you mean slots?')
  })
})

describe('the example', () => {
  it('is the file in examples/simulate', () => {
    expect(readFileSync(join(root, 'examples/simulate/jobs.csv'), 'utf8')).toBe(exampleTrace())
  })

  it('is a valid trace, with one job that four slots do not divide', () => {
    const { jobs } = traceOf(exampleTrace())
    expect(jobs.length).toBeGreaterThan(150)
    expect(jobs.filter(({ slots }) => slots > 4 && slots % 4 > 0)).toMatchObject([{ id: 'odd' }])
  })
})
