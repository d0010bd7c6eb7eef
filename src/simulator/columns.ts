// The header of a trace: which column is what.
import { nearest } from '../platform/nearest.ts'
import { type Problem, problem } from '../problems/problem.ts'
import type { CsvField, CsvRow } from './csv.ts'

const required = ['submit', 'slots', 'duration'] as const
const columns = [...required, 'id', 'job', 'max_slots'] as const
export type Column = (typeof columns)[number]

/** Where each column is. Columns in any order; unknown, repeated and missing ones are problems. */
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
    if (!isColumn(name)) complain(field, `There is no column ${JSON.stringify(field.text)}`, remedyFor(field))
    else if (places[name] !== undefined) complain(field, `The column ${name} is there twice`)
    else places[name] = place
  }
  if (problems.length > 0 && header.every(({ text }) => /^[\d.]/.test(text)))
    return { places, problems: [noHeader(header[0]!, file)] }
  const missing = required.filter((name) => places[name] === undefined)
  if (missing.length > 0 && problems.length === 0)
    complain(header[0]!, `The trace has no column ${missing.join(', ')}`)
  return { places, problems }
}

function noHeader({ line, column }: CsvField, file: string): Problem {
  return problem('TRACE_HEADER', 'The first line names no columns', { where: { file, line, column } })
}

function isColumn(name: string): name is Column {
  return columns.some((column) => column === name)
}

function remedyFor({ text }: CsvField): string | undefined {
  if (/[;\t]/.test(text)) return 'Separate the columns by commas.'
  const meant = nearest(text, columns)
  return meant ? `Did you mean ${meant}?` : `Remove it; the columns are ${columns.join(', ')}.`
}
