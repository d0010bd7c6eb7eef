// A line of a file with its checksum, so that one which a crash has cut is recognized.
import { crc32 } from 'node:zlib'

/** With its line end. */
export function lineOf(value: unknown): string {
  const json = JSON.stringify(value)
  return `${checksum(json)} ${json}\n`
}

/** undefined for a line that was altered or cut. `line`: without its line end. */
export function checkedValue(line: string): unknown {
  const json = line.slice(9)
  if (line.slice(0, 9) !== `${checksum(json)} `) return undefined
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

export function checksum(text: string): string {
  return hexOf(crc32(text))
}

export function hexOf(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}
