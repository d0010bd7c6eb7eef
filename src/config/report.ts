// Problems as plain text: location, code and message; the lines of the file; the remedy.
import { printable } from '../platform/index.ts'
import { type Problem, placeOf } from '../problems/index.ts'

/** Colours a part of a report. */
export type Paint = (part: 'place' | 'error' | 'warning' | 'remedy', text: string) => string

const plain: Paint = (_, text) => text

/** One problem, without a final newline. Warnings are marked as such. */
export function reportProblem({ code, severity, message, remedy, where }: Problem, paint = plain): string {
  const place = where ? `${paint('place', placeOf(where))} ` : ''
  const word = severity === 'warning' ? `${paint('warning', 'warning')} ` : ''
  const lines = [`${place}${word}${paint(severity, code)} ${lineByLine(message)}`]
  if (where?.frame) lines.push(where.frame)
  if (where?.setting) {
    const { path } = where.setting
    lines.push(`  named by ${path ? `${path} in ` : ''}${paint('place', placeOf(where.setting))}`)
  }
  return [...lines, `  ${paint('remedy', 'remedy:')} ${lineByLine(remedy)}`].join('\n')
}

/** Escapes control characters, because a server may have sent the text. */
function lineByLine(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

/** All problems, with a blank line between two; an empty string if there are none. */
export function reportProblems(problems: Problem[]): string {
  return problems.map((one) => `${reportProblem(one)}\n`).join('\n')
}

// The lines around a location in a file with a marker under it, as plain text.

export interface FramedPlace {
  /** From 1. */
  line: number
  column: number
  /** Characters to mark; at least one is. */
  length: number
}

const width = 100
/** Longer lines are not shown, because they are not searched for secrets. */
const longest = 1000
/** Control characters and invisible characters. */
const unseen = /[\p{Cc}\uFEFF]/gu

/**
 * One line before, the line itself with its marker, one line after. `hidden` marks lines that are never shown as
 * neighbours: the inner lines of scripts and other long strings.
 */
export function codeFrame(lines: string[], place: FramedPlace, hidden: (line: number) => boolean): string {
  const shownLines = [place.line - 1, place.line, place.line + 1].filter(
    (line) =>
      line === place.line || (line >= 1 && line <= lines.length && !hidden(line) && lines[line - 1]!.trim()),
  )
  const digits = String(shownLines.at(-1)).length
  const skip = Math.max(0, place.column - width + 20)
  return shownLines
    .flatMap((line) => {
      const here = line === place.line
      const whole = lines[line - 1] ?? ''
      const gutter = `${here ? '>' : ' '} ${String(line).padStart(digits)} |`
      if (whole.length > longest) return [`${gutter} (${whole.length} characters)`]
      const text = clip(whole, skip)
      const row = `${gutter} ${text}`
      return here ? [row, `  ${' '.repeat(digits)} | ${marker(text, place, skip)}`] : [row]
    })
    .map((row) => row.trimEnd())
    .join('\n')
}

function clip(line: string, skip: number): string {
  const masked = maskLine(line).replaceAll('\t', ' ').replaceAll(unseen, '·')
  const kept = skip ? `…${masked.slice(skip + 1)}` : masked
  return kept.length > width ? `${kept.slice(0, width - 1)}…` : kept
}

function marker(text: string, place: FramedPlace, skip: number): string {
  const start = place.column - 1 - skip
  const room = Math.max(1, text.length - start)
  return ' '.repeat(Math.max(0, start)) + '^'.repeat(Math.max(1, Math.min(place.length, room)))
}

// Values in messages and code frames: short, and without secrets.

const mask = '********'
/** Includes scripts, as in Determined: they often contain credentials for the instance. */
const secretWords =
  /password|passwd|secret|token|credential|startup_script|(?:access|private|signing|api|segment_\w+)_?key/i
/** `password_file: /run/x` is a path, which is not secret. */
const harmless = /_(?:file|path)$/i
const secretKey = new RegExp(`(["']?)([\\w.-]*(?:${secretWords.source})[\\w.-]*)\\1(\\s*:\\s*)(\\S.*)$`, 'i')
/** `|` or `>`: the value follows on the next lines. */
const blockStart = /^[|>][-+\d]*\s*$/
const secretText: [RegExp, string][] = [
  // Up to the last @: a password that should be percent-encoded may contain others.
  [/(\bpostgres(?:ql)?:\/\/)\S*@/gi, `$1${mask}@`],
  [/([?&](?:ssl)?password=)[^&\s"']+/gi, `$1${mask}`],
  [/(\/\/)[^\s/@"']*@/g, `$1${mask}@`],
  [/(^|[\s"'])[^\s/@"':]+:(?!\/\/)[^\s@"']+@/g, `$1${mask}@`],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, mask],
  [/\b(?:gh[pousr]_|glpat-|xox[abprs]-|eyJ)[\w.-]{12,}/g, mask],
]

export function isSecretKey(key: string): boolean {
  return secretWords.test(key) && !harmless.test(key)
}

/** A line of the user's file with secrets masked. */
export function maskLine(line: string): string {
  const hidden = line.replace(secretKey, (whole, quote, key, colon, value) =>
    harmless.test(key) || blockStart.test(value) ? whole : `${quote}${key}${quote}${colon}${mask}`,
  )
  return maskText(hidden)
}

function maskText(text: string): string {
  return secretText.reduce((result, [pattern, by]) => result.replace(pattern, by), text)
}

/** A value in a message: `"abc"`, `12`, `a list`; at most 60 characters. */
export function shown(value: unknown, key: string | number | undefined = undefined): string {
  if (value === null || value === undefined) return 'empty'
  if (typeof key === 'string' && isSecretKey(key)) return mask
  if (Array.isArray(value)) return value.length > 0 ? 'a list' : 'an empty list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value !== 'string') return String(value)
  const text = JSON.stringify(maskText(value))
  return text.length > 60 ? `${text.slice(0, 56)}…"` : text
}
