// The lines around a place in a file with a marker under it, ready to print in plain text.
import { maskLine } from './mask.ts'

export interface FramedPlace {
  /** From 1. */
  line: number
  column: number
  /** Characters to mark; at least one is. */
  length: number
}

const width = 100
/** Longer lines are not searched for secrets, so they are not shown. */
const longest = 1000
/** What a terminal would obey or not show. */
const unseen = /[\p{Cc}\uFEFF]/gu

/**
 * One line before, the line itself with its marker, one line after. `hidden` tells lines that are never shown as
 * neighbours: the insides of scripts and other long texts.
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
