// From the text of a trace to its jobs, with every problem named by line and column.
import { type Problem, problem } from '../problems/problem.ts'
import { type Column, readHeader } from './columns.ts'
import { type CsvField, type CsvRow, readCsv } from './csv.ts'
import type { Trace, TraceJob } from './trace-trace.ts'
import { type Moment, readLength, readMoment, readName, readSlots, type Value } from './values.ts'

const mostJobs = 200_000
const mostProblems = 20
const longestSpan = 366 * 24 * 3_600_000

interface Reading {
  file: string
  places: Partial<Record<Column, number>>
  problems: Problem[]
  ids: Map<string, number>
  limits: Map<string, { maxSlots: number | undefined; line: number }>
  /** Whether submissions are dates, and the line that says so. */
  dates?: { are: boolean; line: number }
}

/** The trace, or what is wrong with it; `file` names it in problems. Lines may come in any order. */
export function readTrace(text: string, file: string): { trace: Trace } | { problems: Problem[] } {
  const { rows, fault } = readCsv(text)
  const [header, ...lines] = rows
  if (fault) {
    const { line, column, message } = fault
    return { problems: [problem('TRACE_NOT_CSV', message, { where: { file, line, column } })] }
  }
  if (!header) return { problems: [problem('TRACE_EMPTY', 'The trace is empty', { where: { file } })] }
  const { places, problems } = readHeader(header, file)
  if (problems.length > 0) return { problems }
  if (lines.length === 0)
    return { problems: [problem('TRACE_EMPTY', 'The trace has a header and no jobs', { where: { file } })] }
  if (lines.length > mostJobs) return { problems: [tooLarge(file, `${lines.length} jobs`, `${mostJobs}`)] }

  const reading: Reading = { file, places, problems, ids: new Map(), limits: new Map() }
  const jobs: TraceJob[] = []
  for (const row of lines) {
    const job = readJob(reading, row, header.length)
    if (job) jobs.push(job)
    if (problems.length < mostProblems) continue
    const message = `Reading stopped at line ${row[0]!.line}, after ${mostProblems} problems`
    return { problems: [...problems, problem('TRACE_TOO_MANY_PROBLEMS', message, { where: { file } })] }
  }
  return problems.length > 0 ? { problems } : traceOf(jobs, reading)
}

function readJob(reading: Reading, row: CsvRow, width: number): TraceJob | undefined {
  const { places, file, ids } = reading
  const { line } = row[0]!
  if (row.length !== width) {
    const where = { file, line, column: row.at(width)?.column ?? row.at(-1)!.column }
    const message = `The line has ${row.length} fields, and the header ${width}`
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
    wrong(reading, field('id') ?? row[0]!, `id ${JSON.stringify(id)} is that of line ${taken}`)
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

/** Dates and times since the beginning cannot be put in one order. */
function checkDates(reading: Reading, { isDate }: Moment, field: CsvField): void {
  reading.dates ??= { are: isDate, line: field.line }
  const { are, line } = reading.dates
  if (are === isDate) return
  const [this_, that] = isDate ? ['a date', 'none'] : ['no date', 'one']
  wrong(reading, field, `submit ${JSON.stringify(field.text)} is ${this_}, and line ${line} has ${that}`)
}

/** One limit a job, and no limit without a job. */
function checkLimit(
  reading: Reading,
  first: CsvField,
  field: CsvField | undefined,
  job: string | undefined,
  maxSlots: number | undefined,
): void {
  if (job === undefined) {
    if (maxSlots !== undefined) wrong(reading, field!, 'max_slots needs a job that it is for')
    return
  }
  const known = reading.limits.get(job)
  if (!known) reading.limits.set(job, { maxSlots, line: first.line })
  else if (known.maxSlots !== maxSlots) {
    const other = known.maxSlots ?? 'no limit'
    wrong(
      reading,
      field ?? first,
      `max_slots of job ${JSON.stringify(job)} is ${other} in line ${known.line}`,
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
  return problem('TRACE_TOO_LARGE', `The trace has ${what}; at most ${limit} can be simulated`, {
    where: { file },
  })
}
