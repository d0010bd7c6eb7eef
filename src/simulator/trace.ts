// Parses a trace into its jobs, and reports every problem with line and column.

import { formatDuration, nearest, parseDuration } from '../platform/index.ts'
import { type Problem, problem } from '../problems/index.ts'

const mostJobs = 200_000
const mostProblems = 20
const longestSpan = 366 * 24 * 3_600_000

interface Reading {
  file: string
  places: Partial<Record<Column, number>>
  problems: Problem[]
  ids: Map<string, number>
  limits: Map<string, { maxSlots: number | undefined; line: number }>
  /** Whether submissions are dates, and the line that determined it. */
  dates?: { are: boolean; line: number }
}

/** The trace, or its problems; `file` is its name in problems. Lines may be in any order. */
export function readTrace(text: string, file: string): { trace: Trace } | { problems: Problem[] } {
  const { rows, fault } = readCsv(text)
  const [header, ...lines] = rows
  if (fault) {
    const { line, column, message } = fault
    return { problems: [problem('TRACE_NOT_CSV', message, { where: { file, line, column } })] }
  }
  if (!header) return { problems: [problem('TRACE_EMPTY', 'the trace is empty', { where: { file } })] }
  const { places, problems } = readHeader(header, file)
  if (problems.length > 0) return { problems }
  if (lines.length === 0)
    return { problems: [problem('TRACE_EMPTY', 'the trace has a header and no jobs', { where: { file } })] }
  if (lines.length > mostJobs) return { problems: [tooLarge(file, `${lines.length} jobs`, `${mostJobs}`)] }

  const reading: Reading = { file, places, problems, ids: new Map(), limits: new Map() }
  const jobs: TraceJob[] = []
  for (const row of lines) {
    const job = readJob(reading, row, header.length)
    if (job) jobs.push(job)
    if (problems.length < mostProblems) continue
    const message = `reading stopped at line ${row[0]!.line}, after ${mostProblems} problems`
    return { problems: [...problems, problem('TRACE_TOO_MANY_PROBLEMS', message, { where: { file } })] }
  }
  return problems.length > 0 ? { problems } : traceOf(jobs, reading)
}

function readJob(reading: Reading, row: CsvRow, width: number): TraceJob | undefined {
  const { places, file, ids } = reading
  const { line } = row[0]!
  if (row.length !== width) {
    const where = { file, line, column: row.at(width)?.column ?? row.at(-1)!.column }
    const message = `the line has ${row.length} fields, but the header ${width}`
    reading.problems.push(problem('TRACE_ROW', message, { where }))
    return undefined
  }
  const field = (column: Column): CsvField | undefined =>
    places[column] === undefined ? undefined : row[places[column]]
  const read = <T>(column: Column, reader: (text: string) => Value<T>): T | undefined => {
    const given = field(column)
    if (given === undefined || (given.text === '' && isOptional(column))) return undefined
    const value = reader(given.text)
    if ('value' in value) return value.value
    wrong(reading, given, `${column} ${JSON.stringify(given.text.slice(0, 40))} ${value.wrong}`)
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
    wrong(reading, field('id') ?? row[0]!, `id ${JSON.stringify(id)} is already used in line ${taken}`)
  else ids.set(id, line)
  if (submit) checkDates(reading, submit, field('submit')!)
  checkLimit(reading, row[0]!, field('max_slots'), job, maxSlots)
  if (reading.problems.length > before) return undefined
  return { id, at: submit!.ms, slots: slots!, duration: duration!, job, maxSlots }
}

function isOptional(column: Column): boolean {
  return column === 'id' || column === 'job' || column === 'max_slots'
}

function wrong({ problems, file }: Reading, { line, column }: CsvField, message: string): void {
  problems.push(problem('TRACE_VALUE', message, { where: { file, line, column } }))
}

/** Dates and seconds since a start cannot be ordered together. */
function checkDates(reading: Reading, { isDate }: Moment, field: CsvField): void {
  reading.dates ??= { are: isDate, line: field.line }
  const { are, line } = reading.dates
  if (are === isDate) return
  const [this_, that] = isDate ? ['a date', 'none'] : ['no date', 'one']
  wrong(reading, field, `submit ${JSON.stringify(field.text)} is ${this_}, but line ${line} has ${that}`)
}

/** One limit for each job, and no limit without a job. */
function checkLimit(
  reading: Reading,
  first: CsvField,
  field: CsvField | undefined,
  job: string | undefined,
  maxSlots: number | undefined,
): void {
  if (job === undefined) {
    if (maxSlots !== undefined) wrong(reading, field!, 'max_slots needs a job')
    return
  }
  const known = reading.limits.get(job)
  if (!known) reading.limits.set(job, { maxSlots, line: first.line })
  else if (known.maxSlots !== maxSlots) {
    const other = known.maxSlots ?? 'no limit'
    wrong(
      reading,
      field ?? first,
      `max_slots of job ${JSON.stringify(job)} is already ${other} in line ${known.line}`,
    )
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

// CSV as in RFC 4180, with the location of every field. Blank lines and lines that start with # are skipped.

export interface CsvField {
  text: string
  /** From 1: the line of its row, and the character where it starts. */
  line: number
  column: number
}

export type CsvRow = CsvField[]

export interface CsvFault {
  line: number
  column: number
  message: string
}

/** Up to the first fault: after a misplaced quote, the rest has no meaning. */
export function readCsv(text: string): { rows: CsvRow[]; fault?: CsvFault } {
  const rows: CsvRow[] = []
  let at = text.startsWith('\uFEFF') ? 1 : 0
  let lineStart = at
  for (let line = 1; at < text.length; line++, lineStart = at) {
    const end = endOfLine(text, at)
    const bare = text.slice(at, end).replace(/\r$/, '')
    if (!/^\s*(#|$)/.test(bare)) {
      const row = bare.includes('"') ? quotedRow(bare, line) : plainRow(bare, line)
      if ('message' in row) return { rows, fault: row }
      rows.push(row)
    }
    at = Math.max(end + 1, lineStart + 1)
  }
  return { rows }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from)
  return end < 0 ? text.length : end
}

function plainRow(text: string, line: number): CsvRow {
  let column = 1
  return text.split(',').map((part) => {
    const field = trimmed(part, line, column)
    column += part.length + 1
    return field
  })
}

function trimmed(part: string, line: number, column: number): CsvField {
  const text = part.trim()
  return { text, line, column: column + (text === '' ? 0 : part.indexOf(text)) }
}

/** A quoted field ends on its line: no id or job needs a line break. */
function quotedRow(text: string, line: number): CsvRow | CsvFault {
  const row: CsvRow = []
  let at = 0
  for (;;) {
    while (text[at] === ' ') at++
    if (text[at] !== '"') {
      const comma = text.indexOf(',', at)
      const part = text.slice(at, comma < 0 ? text.length : comma)
      if (part.includes('"'))
        return {
          line,
          column: at + part.indexOf('"') + 1,
          message: 'a quote inside an unquoted field',
        }
      row.push(trimmed(part, line, at + 1))
      at += part.length
    } else {
      const quoted = /"((?:[^"]|"")*)" */y
      quoted.lastIndex = at
      const match = quoted.exec(text)
      if (!match) return { line, column: at + 1, message: 'a quote is not closed on its line' }
      row.push({ text: match[1]!.replaceAll('""', '"'), line, column: at + 1 })
      at += match[0].length
      if (at < text.length && text[at] !== ',')
        return { line, column: at + 1, message: 'text after the closing quote of a field' }
    }
    if (at >= text.length) return row
    at++
  }
}

// The header of a trace: the position of each column.

const required = ['submit', 'slots', 'duration'] as const
const columns = [...required, 'id', 'job', 'max_slots'] as const
export type Column = (typeof columns)[number]

/** The position of each column. Columns may be in any order; unknown, repeated and missing ones are problems. */
export function readHeader(
  header: CsvRow,
  file: string,
): { places: Partial<Record<Column, number>>; problems: Problem[] } {
  const places: Partial<Record<Column, number>> = {}
  const problems: Problem[] = []
  const complain = ({ line, column }: CsvField, message: string, remedy?: string) =>
    problems.push(problem('TRACE_HEADER', message, { remedy, where: { file, line, column } }))
  for (const [place, field] of header.entries()) {
    const name = field.text.toLowerCase()
    if (!isColumn(name)) complain(field, `unknown column ${JSON.stringify(field.text)}`, remedyFor(field))
    else if (places[name] !== undefined) complain(field, `duplicate column ${name}`)
    else places[name] = place
  }
  if (problems.length > 0 && header.every(({ text }) => /^[\d.]/.test(text)))
    return { places, problems: [noHeader(header[0]!, file)] }
  const missing = required.filter((name) => places[name] === undefined)
  if (missing.length > 0 && problems.length === 0)
    complain(header[0]!, `the trace has no column ${missing.join(', ')}`)
  return { places, problems }
}

function noHeader({ line, column }: CsvField, file: string): Problem {
  return problem('TRACE_HEADER', 'the first line is not a header', { where: { file, line, column } })
}

function isColumn(name: string): name is Column {
  return columns.some((column) => column === name)
}

function remedyFor({ text }: CsvField): string | undefined {
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
