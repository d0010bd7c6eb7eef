// The name of a file or folder that belongs to a pool, whose own name may hold anything.
import { derivedName } from './derived-id.ts'

/** File systems take 255 bytes; endings and temporary names need some of them. */
const longest = 200
const markLength = 20

/** One path segment of at most 200 ASCII characters, never `.` or `..`; different pools get different ones. */
export function fileNameOf(pool: string): string {
  const name = encodeURIComponent(pool)
  if (/^\.+$/.test(name)) return name.replaceAll('.', '%2E')
  if (name.length <= longest) return name
  return `${name.slice(0, longest - markLength - 1)}~${derivedName(markLength, pool)}`
}
