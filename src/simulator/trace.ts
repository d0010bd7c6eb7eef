// Parses a trace into its jobs, and reports every problem with line and column.

import { formatDuration, nearest, parseDuration } from '../platform/index.ts'
import { type Problem, problem } from '../problems/index.ts'
import { type CsvRow, columnsOf, readCsv } from './csv.ts'

const mostJobs = 200_000
const mostProblems = 20
const longestSpan = 366 * 24 * 3_600_000

interface Reading {
  file: string
  /** The lines of the file, for the columns in problems. */
  lines: string[]
  places: Partial<Record<Column, number>>
  problems: Problem[]
  ids: Map<string, number>
  limits: Map<string, { maxSlots: number | undefined; line: number }>
  /** Whether submissions are dates, and the line that determined it. */
  dates?: { are: boolean; line: number }
}

/** The trace, or its problems; `file` is its name in problems. Lines may be in any order. */
export function readTrace(text: string, file: string): { trace: Trace } | { problems: Problem[] } {
  const csv = readCsv(text)
  if ('fault' in csv) {
    const { line, column, message } = csv.fault
    return { problems: [problem('TRACE_NOT_CSV', message, { where: { file, line, column } })] }
  }
  const [header, ...rows] = csv.rows
  if (!header) return { problems: [problem('TRACE_EMPTY', 'the trace is empty', { where: { file } })] }
  const lines = linesOf(text)
  const { places, problems } = readHeader(header, lines[header.line - 1]!, file)
  if (problems.length > 0) return { problems }
  if (rows.length === 0)
    return { problems: [problem('TRACE_EMPTY', 'the trace has a header and no jobs', { where: { file } })] }
  if (rows.length > mostJobs) return { problems: [tooLarge(file, `${rows.length} jobs`, `${mostJobs}`)] }

  const reading: Reading = { file, lines, places, problems, ids: new Map(), limits: new Map() }
  const jobs: TraceJob[] = []
  for (const row of rows) {
    const job = readJob(reading, row, header.fields.length)
    if (job) jobs.push(job)
    if (problems.length < mostProblems) continue
    const message = `reading stopped at line ${row.line}, after ${mostProblems} problems`
    return { problems: [...problems, problem('TRACE_TOO_MANY_PROBLEMS', message, { where: { file } })] }
  }
  return problems.length > 0 ? { problems } : traceOf(jobs, reading)
}

function readJob(reading: Reading, row: CsvRow, width: number): TraceJob | undefined {
  const { places, file, ids } = reading
  const { line, fields } = row
  if (fields.length !== width) {
    const column = columnOf(reading, line, Math.min(width, fields.length - 1))
    const message = `the line has ${fields.length} fields, but the header ${width}`
    reading.problems.push(problem('TRACE_ROW', message, { where: { file, line, column } }))
    return undefined
  }
  const read = <T>(column: Column, reader: (text: string) => Value<T>): T | undefined => {
    const given = places[column] === undefined ? undefined : fields[places[column]]
    if (given === undefined || (given === '' && isOptional(column))) return undefined
    const value = reader(given)
    if ('value' in value) return value.value
    wrong(reading, line, column, `${column} ${JSON.stringify(given.slice(0, 40))} ${value.wrong}`)
    return undefined
  }
  const before = reading.problems.length
  const submit = read('submit', readMoment)
  const slots = read('slots', readSlots)
  const duration = read('duration', readLength)
  const id = read('id', readName) ?? `line-${line}`
  const job = read('job', readName)
  const maxSlots = read('max_slots', readSlots)
  const taken = ids.get(id)
  if (taken !== undefined)
    wrong(reading, line, 'id', `id ${JSON.stringify(id)} is already used in line ${taken}`)
  else ids.set(id, line)
  if (submit) checkDates(reading, submit, row)
  checkLimit(reading, line, job, maxSlots)
  if (reading.problems.length > before) return undefined
  return { id, at: submit!.ms, slots: slots!, duration: duration!, job, maxSlots }
}

function isOptional(column: Column): boolean {
  return column === 'id' || column === 'job' || column === 'max_slots'
}

/** At the column, or at the start of the line when the trace has no such column. */
function wrong(reading: Reading, line: number, column: Column, message: string): void {
  const { file, places, problems } = reading
  const where = { file, line, column: columnOf(reading, line, places[column] ?? 0) }
  problems.push(problem('TRACE_VALUE', message, { where }))
}

function columnOf({ lines }: Reading, line: number, place: number): number {
  return columnsOf(lines[line - 1]!)[place] ?? 1
}

/** Without the mark of the encoding that may begin the file: no column counts it. */
function linesOf(text: string): string[] {
  return text.replace(/^\uFEFF/, '').split(/\r?\n/)
}

/** Dates and seconds since a start cannot be ordered together. */
function checkDates(reading: Reading, { isDate }: Moment, row: CsvRow): void {
  reading.dates ??= { are: isDate, line: row.line }
  const { are, line } = reading.dates
  if (are === isDate) return
  const [this_, that] = isDate ? ['a date', 'none'] : ['no date', 'one']
  const given = JSON.stringify(row.fields[reading.places.submit!])
  wrong(reading, row.line, 'submit', `submit ${given} is ${this_}, but line ${line} has ${that}`)
}

/** One limit for each job, and no limit without a job. */
function checkLimit(
  reading: Reading,
  line: number,
  job: string | undefined,
  maxSlots: number | undefined,
): void {
  if (job === undefined) {
    if (maxSlots !== undefined) wrong(reading, line, 'max_slots', 'max_slots needs a job')
    return
  }
  const known = reading.limits.get(job)
  if (!known) reading.limits.set(job, { maxSlots, line })
  else if (known.maxSlots !== maxSlots) {
    const other = known.maxSlots ?? 'no limit'
    const name = JSON.stringify(job)
    wrong(reading, line, 'max_slots', `max_slots of job ${name} is already ${other} in line ${known.line}`)
  }
}

function traceOf(jobs: TraceJob[], { file, dates }: Reading): { trace: Trace } | { problems: Problem[] } {
  jobs.sort((a, b) => a.at - b.at)
  const first = jobs[0]!.at
  if (jobs.at(-1)!.at - first > longestSpan)
    return { problems: [tooLarge(file, 'more than a year between its first and last job', 'a year')] }
  for (const job of jobs) job.at -= first
  return { trace: dates?.are ? { jobs, beginsAt: first } : { jobs } }
}

function tooLarge(file: string, what: string, limit: string): Problem {
  return problem('TRACE_TOO_LARGE', `the trace has ${what}; at most ${limit} can be simulated`, {
    where: { file },
  })
}

// The header of a trace: the place of each column.

const required = ['submit', 'slots', 'duration'] as const
const columns = [...required, 'id', 'job', 'max_slots'] as const
export type Column = (typeof columns)[number]

/** The position of each column. Columns may be in any order; unknown, repeated and missing ones are problems. */
export function readHeader(
  { line, fields }: CsvRow,
  text: string,
  file: string,
): { places: Partial<Record<Column, number>>; problems: Problem[] } {
  const places: Partial<Record<Column, number>> = {}
  const problems: Problem[] = []
  const columns = columnsOf(text)
  const complain = (place: number, message: string, remedy?: string) =>
    problems.push(
      problem('TRACE_HEADER', message, { remedy, where: { file, line, column: columns[place]! } }),
    )
  for (const [place, field] of fields.entries()) {
    const name = field.toLowerCase()
    if (!isColumn(name)) complain(place, `unknown column ${JSON.stringify(field)}`, remedyFor(field))
    else if (places[name] !== undefined) complain(place, `duplicate column ${name}`)
    else places[name] = place
  }
  if (problems.length > 0 && fields.every((field) => /^[\d.]/.test(field))) {
    problems.length = 0
    complain(0, 'the first line is not a header')
    return { places, problems }
  }
  const missing = required.filter((name) => places[name] === undefined)
  if (missing.length > 0 && problems.length === 0)
    complain(0, `the trace has no column ${missing.join(', ')}`)
  return { places, problems }
}

function isColumn(name: string): name is Column {
  return columns.some((column) => column === name)
}

function remedyFor(text: string): string | undefined {
  if (/[;\t]/.test(text)) return 'Separate the columns by commas.'
  const meant = nearest(text, columns)
  return meant ? `Did you mean ${meant}?` : `Remove it; the columns are ${columns.join(', ')}.`
}

// The fields of a trace: their formats and values.

const year = 366 * 24 * 3_600_000
const mostSlots = 100_000
const longestName = 200

/** A value, or what is wrong with the text, as the continuation of `submit "x" `. */
export type Value<T> = { value: T } | { wrong: string }

export interface Moment {
  /** Milliseconds: since the epoch for a date, otherwise since the start of the trace's own time. */
  ms: number
  isDate: boolean
}

const number = /^\d+(?:\.\d+)?$/
const isoDate = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$/i

/** Seconds, a duration, or an ISO 8601 date; without an offset a date is in UTC. */
export function readMoment(text: string): Value<Moment> {
  const date = isoDate.exec(text)
  if (date) return readDate(text, date)
  const span = readSpan(text)
  if (span === undefined)
    return { wrong: 'is not a time: write seconds, a duration such as 1h30m, or 2026-11-23T09:00:00Z' }
  // Seconds since the epoch are seconds, too.
  if (span < 0 || span > 10_000 * year) return { wrong: 'is out of range' }
  return { value: { ms: span, isDate: false } }
}

function readDate(text: string, [, year = '', month, day, , , , zone]: RegExpExecArray): Value<Moment> {
  const ms = Date.parse(text.replace(' ', 'T').toUpperCase() + (zone === undefined ? 'Z' : ''))
  // Date.parse takes 30 February for 2 March.
  const real = new Date(`${year}-${month}-${day}T00:00:00Z`)
  const exists = !Number.isNaN(ms) && real.getUTCDate() === Number(day)
  return exists ? { value: { ms, isDate: true } } : { wrong: 'is not a calendar date' }
}

/** Milliseconds, from 0 to 366 days. */
export function readLength(text: string): Value<number> {
  const span = readSpan(text)
  if (span === undefined) return { wrong: 'is not a duration: write seconds, or such as 90s or 1h30m' }
  if (span < 0) return { wrong: 'is negative' }
  return span > year ? { wrong: `is longer than ${formatDuration(year)}` } : { value: span }
}

/** Milliseconds of seconds or of a Go duration; undefined when the text is neither. */
function readSpan(text: string): number | undefined {
  const ms = number.test(text) ? Number(text) * 1000 : parseDuration(text)
  return ms === undefined ? undefined : Math.round(ms)
}

/** An integer from 0 to 100,000. */
export function readSlots(text: string): Value<number> {
  if (!/^\d+$/.test(text)) return { wrong: 'is not an integer number of slots' }
  return Number(text) > mostSlots ? { wrong: 'is more than 100,000 slots' } : { value: Number(text) }
}

/** The name of a job: one line, not too long to be shown. */
export function readName(text: string): Value<string> {
  if (text.length > longestName) return { wrong: `has more than ${longestName} characters` }
  return /\p{Cc}/u.test(text) ? { wrong: 'contains control characters' } : { value: text }
}

// A trace: the jobs that a cluster got, or would get.

/** One line of the file. */
export interface TraceJob {
  /** From the file, else `line-N`. */
  id: string
  /** Milliseconds since the first submission of the trace. */
  at: number
  /** 0 for an auxiliary job. */
  slots: number
  /** Milliseconds it runs after its agents were assigned. */
  duration: number
  job?: string
  maxSlots?: number
}

export interface Trace {
  /** In order of submission. */
  jobs: TraceJob[]
  /** Milliseconds since the epoch of the first submission, if the file contains dates. */
  beginsAt?: number
}
