// CSV as RFC 4180 has it, with the place of every field. Blank lines and lines that begin with # are left out.

export interface CsvField {
  text: string
  /** From 1; the line its row begins on, and the character where it begins. */
  line: number
  column: number
}

export type CsvRow = CsvField[]

export interface CsvFault {
  line: number
  column: number
  message: string
}

/** Up to the first fault: what follows a wrong quote means nothing. */
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
          message: 'A quote stands inside an unquoted field',
        }
      row.push(trimmed(part, line, at + 1))
      at += part.length
    } else {
      const quoted = /"((?:[^"]|"")*)" */y
      quoted.lastIndex = at
      const match = quoted.exec(text)
      if (!match) return { line, column: at + 1, message: 'A quote is opened and not closed on its line' }
      row.push({ text: match[1]!.replaceAll('""', '"'), line, column: at + 1 })
      at += match[0].length
      if (at < text.length && text[at] !== ',')
        return { line, column: at + 1, message: 'Text follows a quote that closes a field' }
    }
    if (at >= text.length) return row
    at++
  }
}
