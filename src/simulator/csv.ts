// Reads CSV with the library csv-parse, and adds what a report needs: the line and column of everything.
import { CsvError, type Options, parse } from 'csv-parse/sync'

export interface CsvRow {
  /** From 1. */
  line: number
  /** Without the blanks around them. */
  fields: string[]
}

export interface CsvFault {
  /** Both from 1. */
  line: number
  column: number
  message: string
}

const bom = '\uFEFF'
const notClosed = 'a quote is not closed on its line'

const rules = {
  comment: '#',
  comment_no_infix: true,
  trim: true,
  skip_empty_lines: true,
  // The reader of the rows reports a wrong number of fields, with its place.
  relax_column_count: true,
  // Without it the first line break decides for the whole file.
  record_delimiter: ['\r\n', '\n'],
} satisfies Options

/**
 * The rows without blank lines and lines that begin with #, or the first fault: what follows a wrong quote means nothing.
 * A quoted field ends on its line, as no field of a trace holds a line break: so a missing quote is reported where it is.
 */
export function readCsv(text: string): { rows: CsvRow[] } | { fault: CsvFault } {
  const plain = text.startsWith(bom) ? text.slice(1) : text
  const rows: CsvRow[] = []
  let torn: CsvRow | undefined
  let error: unknown
  try {
    parse(plain, {
      ...rules,
      on_record: (fields: string[], { lines: line }) => {
        rows.push({ line, fields })
        if (fields.some((field) => field.includes('\n'))) torn ??= rows.at(-1)
        // Nothing is collected a second time.
        return null
      },
    })
  } catch (thrown) {
    error = thrown
  }
  if (torn) return { fault: tornRow(plain, torn) }
  if (error instanceof CsvError) return { fault: faultOf(error, plain) }
  if (error) throw error
  return { rows }
}

/** The columns, from 1, at which the fields of a line begin; the line is one that csv-parse accepts. */
export function columnsOf(line: string): number[] {
  const bytes = Buffer.from(line)
  const columns: number[] = []
  let from = 0
  parse(line, {
    ...rules,
    cast: (value, { bytes: end }) => {
      columns.push(columnAt(bytes, from))
      from = end + 1
      return value
    },
  })
  return columns
}

/** Of the first character at or behind a byte that is no blank; of the byte itself where the field is empty. */
function columnAt(bytes: Buffer, from: number): number {
  const [blanks = ''] = /^[ \t]*(?=[^,\s])/.exec(bytes.subarray(from).toString()) ?? []
  return bytes.subarray(0, from).toString().length + blanks.length + 1
}

function faultOf({ code, bytes, lines }: CsvError, text: string): CsvFault {
  const { line, column } = placeOfField(text, Number(bytes))
  if (code === 'CSV_QUOTE_NOT_CLOSED' || Number(lines) > line) return { line, column, message: notClosed }
  const message =
    code === 'INVALID_OPENING_QUOTE'
      ? 'a quote inside an unquoted field'
      : 'text after the closing quote of a field'
  return { line, column, message }
}

/** The line breaks of its fields are the lines between its first and its last. */
function tornRow(text: string, { line: last, fields }: CsvRow): CsvFault {
  const line = last - (fields.join().split('\n').length - 1)
  return { line, column: text.split('\n')[line - 1]!.lastIndexOf('"') + 1, message: notClosed }
}

/** `ended` is the byte of the comma or line break before the field, or 0: blank lines and comments may lie between. */
function placeOfField(text: string, ended: number): { line: number; column: number } {
  const bytes = Buffer.from(text)
  const [between = ''] = /^,?(?:\s*(?:#.*)?\n)*[ \t]*/.exec(bytes.subarray(ended).toString()) ?? []
  const before = (bytes.subarray(0, ended).toString() + between).split('\n')
  return { line: before.length, column: before.at(-1)!.length + 1 }
}
